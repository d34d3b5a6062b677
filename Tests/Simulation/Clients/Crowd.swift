// A run about shares: several customers at one relay whose API is slow or lets few connections in.
// The network is sound and the API accepts everything, so that whatever a customer waits for is
// another customer's doing.

/// The customers of such a run, and what they share.
struct Crowd {
    /// Connections to the API that the relay may have.
    var connections = 2
    /// Connections that the API lets in; it closes more at once.
    var apiConnectionsMax = Int.max
    /// How long the API takes for each request, in milliseconds.
    var serviceMilliseconds = 100
    /// `Keep-Alive: timeout=` of the API, in seconds; nil: it keeps connections for long.
    var keepAliveSeconds: Int?
    /// Clients of the first key, which send one message after the other.
    var greedyClients = 4
    /// Clients of the first key that stop in the middle of a large message.
    var stallers = 0
    /// Other keys, with one client each.
    var modestKeys = 2
    /// The relay has memory for so few messages; nil: for all.
    var memoryMessages: Int?

    static func drawn(_ dice: inout Dice) -> Crowd {
        var crowd = Crowd()
        crowd.connections = dice.pick([2, 3, 4, 8])
        if dice.happens(0.3) { crowd.apiConnectionsMax = dice.number(2...4) }
        crowd.serviceMilliseconds = dice.pick([20, 100, 500, 1_500])
        if dice.happens(0.3) { crowd.keepAliveSeconds = dice.number(1...5) }
        crowd.greedyClients = dice.number(1...10)
        if dice.happens(0.5) { crowd.stallers = dice.number(1...6) }
        crowd.modestKeys = dice.number(1...3)
        if dice.happens(0.3) { crowd.memoryMessages = dice.number(4...8) }
        return crowd
    }

    /// All clients together.
    var clients: Int { greedyClients + stallers + modestKeys }

    /// Nothing goes wrong but what the crowd itself does.
    func weather(_ dice: inout Dice) -> Weather {
        var weather = Weather.calm
        weather.latencyMicrosecondsMax = dice.pick([200, 5_000])
        weather.lookUpMicrosecondsMax = 10_000
        weather.apiServiceMilliseconds = serviceMilliseconds
        weather.apiConnectionsMax = apiConnectionsMax
        weather.apiKeepAliveSeconds = keepAliveSeconds
        return weather
    }

    func habits(_ number: Int, _ dice: inout Dice) -> ClientHabits {
        var habits = ClientHabits()
        habits.isImplicitTLS = true
        habits.isPipelining = true
        habits.triesMax = 1
        // A chunk that waits for memory has been sent, and the books would count the wait as the API's.
        if memoryMessages == nil { habits.drawChunks(&dice) }
        if number < greedyClients + stallers {
            habits.account = 0
            habits.stalls = number >= greedyClients
        } else {
            habits.account = 1 + number - greedyClients - stallers
            habits.restMillisecondsMax = dice.pick([0, 200, 4_000])
        }
        return habits
    }

    func messages(_ number: Int, _ dice: inout Dice) -> Int {
        if number < greedyClients { return dice.number(3...10) }
        return number < greedyClients + stallers ? 1 : dice.number(1...5)
    }

    /// What the books may assume.
    var terms: FairShare.Terms {
        let all = min(connections, apiConnectionsMax)
        let uploads = stallers > 0 ? max(1, all / 2) : 0
        return FairShare.Terms(
            connections: max(1, all - uploads), serviceMilliseconds: serviceMilliseconds,
            stallingAccount: stallers > 0 ? 0 : nil)
    }
}
