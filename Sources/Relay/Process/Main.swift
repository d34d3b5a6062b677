import ArgumentParser
import Reactor
import Wire

@main
struct PostscaleRelay {
    static func main() { print("postscale-relay") }
}
