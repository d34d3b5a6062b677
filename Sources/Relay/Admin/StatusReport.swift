// The relay at a moment as JSON: what the status page draws, and for programs that are not
// Prometheus. Totals since the start; rates are the reader's to work out.

import Log
import Mapping
import Reactor

/// `/status.json`.
enum StatusReport {
    static func json(_ snapshot: RelaySnapshot) -> [UInt8] {
        var json = JSONDocument()
        let totals = snapshot.totals
        json.object {
            $0.process(snapshot)
            $0.listeners(snapshot.facts, totals)
            $0.traffic(totals)
            $0.latencies(totals)
            $0.api(totals)
            $0.loops(snapshot)
        }
        return json.bytes
    }
}

extension JSONDocument {
    fileprivate mutating func process(_ snapshot: RelaySnapshot) {
        let facts = snapshot.facts
        let readiness = Readiness(snapshot)
        field("version", RelayVersion.current)
        field("hostname", facts.hostname)
        field("backend", facts.backend)
        field("now", Int(facts.now))
        field("started", Int(facts.startedAt))
        field("draining", facts.isDraining)
        field("ready", readiness.isReady)
        array("not_ready_because") { list in
            for reason in readiness.reasons { list.element(reason) }
        }
        if let end = facts.certificateEnd {
            field("certificate_end", Int(end))
        } else {
            null("certificate_end")
        }
        object("memory") {
            $0.field("budget", facts.memoryBytesMax)
            $0.field("reserved", facts.memoryBytesReserved)
            $0.field("waiting", facts.memoryWaiting)
            $0.field("resident", facts.process.residentBytes)
        }
        object("descriptors") {
            $0.field("open", facts.process.descriptors)
            $0.field("max", facts.process.descriptorsMax)
        }
        field("sessions_max", facts.sessionsMax)
        field("duplicate_records", facts.duplicateRecords)
        field("log_lines_dropped", facts.logLinesDropped)
        field("cpu_ns", facts.process.cpuNanoseconds)
    }

    fileprivate mutating func listeners(_ facts: RelayFacts, _ totals: RelayTotals) {
        array("listeners") { list in
            for (spec, counts) in zip(facts.listeners, totals.listeners) {
                list.object {
                    $0.field("address", "\(spec.address)")
                    $0.field("mode", spec.modeWord)
                    $0.field("connections", counts.accepted)
                    $0.field(
                        "refused",
                        counts.overConnections + counts.overHandshakes + counts.overDescriptors)
                    $0.field("tls12", counts.handshakesTLS12)
                    $0.field("tls13", counts.handshakesTLS13)
                    $0.field("resumed", counts.handshakesResumed)
                    $0.field("failed", counts.handshakesFailed)
                }
            }
        }
    }

    fileprivate mutating func traffic(_ totals: RelayTotals) {
        let counters = totals.counters
        field("sessions", totals.sessions)
        object("messages") {
            for kind in OutcomeKind.allCases {
                $0.field(kind.word, counters.messages.count(kind))
            }
        }
        field("content_bytes", counters.contentBytes)
        object("replies") {
            for (code, count) in counters.replies.present { $0.field("\(code)", count) }
        }
        object("logins") {
            $0.field("accepted", counters.loginsAccepted)
            $0.field("wrong-key", counters.loginsRefused)
            $0.field("wrong-username", counters.loginsWrongUsername)
            $0.field("unavailable", counters.loginsUnavailable)
            $0.field("turned-away", counters.loginsTurnedAway)
        }
        object("losses") {
            for kind in MappingLosses.kinds {
                $0.field("\(kind.name)", counters.losses[keyPath: kind.count])
            }
        }
        field(
            "duplicates",
            counters.duplicatesAnswered + counters.duplicatesPending + counters.duplicateRecipients)
    }

    fileprivate mutating func latencies(_ totals: RelayTotals) {
        array("bounds_us") { list in
            for bucket in 0..<LatencyHistogram.boundCount {
                list.element(LatencyHistogram.boundMicroseconds(bucket))
            }
        }
        object("latency") {
            $0.histogram("handshake", totals.counters.handshakeTimes)
            $0.histogram("login", totals.counters.loginTimes)
            $0.histogram("data", totals.counters.dataTimes)
            $0.histogram("answer", totals.counters.answerTimes)
            $0.histogram("api", totals.pool.sendTimes)
        }
    }

    private mutating func histogram(_ key: String, _ histogram: LatencyHistogram) {
        array(key) { list in
            for bucket in 0...LatencyHistogram.boundCount {
                list.element(Int(clamping: histogram.count(inBucket: bucket)))
            }
        }
    }

    fileprivate mutating func api(_ totals: RelayTotals) {
        object("api") {
            $0.field("queued", totals.queued)
            $0.field("uncertain", totals.pool.uncertain)
            let retries = totals.pool.retries
            $0.field(
                "retries",
                retries.nothingWritten + retries.partlyWritten + retries.handedOver)
            $0.field(
                "not_sent",
                totals.pool.notSentQueueFull + totals.pool.notSentNoAddress
                    + totals.pool.notSentLate + totals.pool.notSentBroken)
            $0.object("statuses") {
                for (code, count) in totals.pool.sendStatuses.present { $0.field("\(code)", count) }
            }
            $0.array("addresses") { list in
                for entry in totals.addresses {
                    list.object {
                        $0.field("address", "\(entry.address)")
                        $0.field("health", entry.health.rawValue)
                        $0.field("opening", entry.opening)
                        $0.field("idle", entry.idle)
                        $0.field("busy", entry.busy)
                        $0.field("calls", entry.calls)
                        $0.field("failed", entry.connectionsFailed)
                    }
                }
            }
        }
    }

    fileprivate mutating func loops(_ snapshot: RelaySnapshot) {
        array("loops") { list in
            for worker in snapshot.workers {
                list.object {
                    $0.field("loop", worker.index)
                    $0.field("answered", !snapshot.silentLoops.contains(worker.index))
                    $0.field("sessions", worker.sessions)
                    $0.field("turns", worker.loop.ticks)
                    $0.field("busy_ns", worker.loop.busyNanoseconds)
                    $0.field("idle_ns", worker.loop.idleNanoseconds)
                    $0.field("slabs", worker.gauges.slabsUsed)
                    $0.field("timers", worker.gauges.timersArmed)
                    $0.histogram("turn", worker.loop.turns)
                }
            }
        }
    }
}
