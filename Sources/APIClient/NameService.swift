// Where the API's host name is looked up: in the system, or in what a test puts in its place.
//
// The system can't look a name up without blocking. So each question gets a short-lived thread, and
// the answer comes back through the mailbox of the loop that asked.

import Glibc
import Reactor

/// The answer of a name service.
package enum NameAnswer: Sendable {
    case addresses([SocketAddress])
    /// Why there is none, for the log.
    case failed(String)
}

/// Asks a name service. Called on the asking loop, never during `lookUp`.
package protocol NameInquirer: AnyObject {
    /// - Parameter question: as given to `lookUp`.
    func answered(_ answer: NameAnswer, to question: Int)
}

/// Says which addresses a name has. Shared by all loops.
package protocol NameService: Sendable {
    /// Looks `host` up; the answer follows, once, on `loop`.
    /// - Parameter question: handed back with the answer.
    func lookUp(
        host: String, port: UInt16, on loop: Loop, question: Int, for inquirer: any NameInquirer)
}

/// getaddrinfo(3).
package struct SystemNameService: NameService {
    package init() {}

    package func lookUp(
        host: String, port: UInt16, on loop: Loop, question: Int, for inquirer: any NameInquirer
    ) {
        // The inquirer is used on its loop only; the thread just carries the reference.
        nonisolated(unsafe) let inquirer = inquirer
        let mailbox = loop.mailbox
        let isStarted = DetachedThread.start {
            let answer = SystemNameService.ask(host: host, port: port)
            mailbox.post { inquirer.answered(answer, to: question) }
        }
        guard !isStarted else { return }
        mailbox.post { inquirer.answered(.failed("no thread for the resolver"), to: question) }
    }

    private static func ask(host: String, port: UInt16) -> NameAnswer {
        do throws(ResolveError) {
            return .addresses(try SocketAddress.resolve(host: host, port: port))
        } catch {
            return .failed(error.description)
        }
    }
}

/// A thread that nobody joins.
private enum DetachedThread {
    private final class Work {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Runs `work` on a new thread; false when the kernel has none.
    static func start(_ work: @escaping @Sendable () -> Void) -> Bool {
        var attributes = pthread_attr_t()
        guard pthread_attr_init(&attributes) == 0 else { return false }
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        let box = Unmanaged.passRetained(Work(work))
        var thread = pthread_t()
        let status = pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        if status != 0 { box.release() }
        return status == 0
    }
}
