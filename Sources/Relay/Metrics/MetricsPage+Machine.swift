// What /metrics shows of the API's pool and of the loops.

import APIClient
import Reactor

extension MetricsText {
    mutating func api(_ totals: RelayTotals) {
        let pool = totals.pool
        family("api_responses_total", .counter, "Answers of the API by call and status.")
        for (code, count) in pool.sendStatuses.present {
            sample(["call": "send", "status": "\(code)"], count)
        }
        for (code, count) in pool.checkStatuses.present {
            sample(["call": "check", "status": "\(code)"], count)
        }
        family("api_retries_total", .counter, "Requests sent again, by how far they had come.")
        sample(["reason": "nothing-written"], pool.retries.nothingWritten)
        sample(["reason": "partly-written"], pool.retries.partlyWritten)
        sample(["reason": "key-check"], pool.retries.handedOver)
        family("api_not_sent_total", .counter, "Calls that were certainly not acted on, and why.")
        sample(["reason": "queue-full"], pool.notSentQueueFull)
        sample(["reason": "no-address"], pool.notSentNoAddress)
        sample(["reason": "no-connection-in-time"], pool.notSentLate)
        sample(["reason": "broken"], pool.notSentBroken)
        counter(
            "api_uncertain_total", pool.uncertain,
            "Calls for messages that broke, or were not answered, when the API may have acted.")
        gauge("api_queue", totals.queued, "Calls that wait for a connection.")
        gauge(
            "api_ready_loops", totals.readyLoops,
            "Loops that have an address of the API that is believed usable.")
        addresses(totals.addresses)
    }

    private mutating func addresses(_ addresses: [AddressReport]) {
        family("api_address_up", .gauge, "0 while an address of the API rests on every loop.")
        for entry in addresses {
            sample(["address": "\(entry.address)"], entry.health == .healthy)
        }
        family("api_connections", .gauge, "Connections to the API by address and state.")
        for entry in addresses {
            let address = "\(entry.address)"
            sample(["address": address, "state": "opening"], entry.opening)
            sample(["address": address, "state": "idle"], entry.idle)
            sample(["address": address, "state": "busy"], entry.busy)
        }
        family("api_calls_total", .counter, "Times a call was put on a connection, by address.")
        for entry in addresses { sample(["address": "\(entry.address)"], entry.calls) }
        family("api_connections_opened_total", .counter, "Connections to the API that were opened.")
        for entry in addresses { sample(["address": "\(entry.address)"], entry.connectionsOpened) }
        family(
            "api_connections_failed_total", .counter,
            "Connections to the API that could not be opened.")
        for entry in addresses { sample(["address": "\(entry.address)"], entry.connectionsFailed) }
    }

    mutating func loops(_ snapshot: RelaySnapshot) {
        let workers = snapshot.workers
        family("loop_answered", .gauge, "0 when a loop was too busy to answer this scrape.")
        for worker in workers {
            sample(["loop": "\(worker.index)"], !snapshot.silentLoops.contains(worker.index))
        }
        family("loop_sessions", .gauge, "Sessions of a loop.")
        for worker in workers { sample(["loop": "\(worker.index)"], worker.sessions) }
        family("loop_busy_seconds_total", .counter, "Time that a loop spent working.")
        for worker in workers {
            sample(["loop": "\(worker.index)"], nanoseconds: worker.loop.busyNanoseconds)
        }
        family("loop_idle_seconds_total", .counter, "Time that a loop waited for work.")
        for worker in workers {
            sample(["loop": "\(worker.index)"], nanoseconds: worker.loop.idleNanoseconds)
        }
        family(
            "loop_turn_seconds", .histogram,
            "How long a loop's turns took; whatever came meanwhile waited as long at most.")
        for worker in workers {
            histogram(["loop": "\(worker.index)"], worker.loop.turns, step: 4)
        }
        family("loop_slabs", .gauge, "Blocks of 16 KiB that a loop has handed out, or keeps.")
        for worker in workers {
            sample(["loop": "\(worker.index)", "state": "used"], worker.gauges.slabsUsed)
            sample(["loop": "\(worker.index)", "state": "free"], worker.gauges.slabsFree)
        }
        family("loop_timers", .gauge, "Deadlines that are armed on a loop.")
        for worker in workers { sample(["loop": "\(worker.index)"], worker.gauges.timersArmed) }
        family("loop_slots", .gauge, "Streams, listeners and timers of a loop.")
        for worker in workers { sample(["loop": "\(worker.index)"], worker.gauges.slotsUsed) }
    }
}
