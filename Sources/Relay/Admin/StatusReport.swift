// The relay at a moment as JSON: what the status page draws, and for programs that are not
// Prometheus. Totals since the start; readers work the rates out.

import APIClient
import Log
import Reactor
import Wire

/// `/status.json`.
struct StatusReport {
    private let snapshot: RelaySnapshot
    private let facts: RelayFacts
    private let totals: RelayTotals

    static func json(_ snapshot: RelaySnapshot) -> [UInt8] {
        let report = StatusReport(snapshot)
        return JSONDocument.object {
            report.process(&$0)
            report.listeners(&$0)
            report.traffic(&$0)
            report.latencies(&$0)
            report.api(&$0)
            report.loops(&$0)
        }
    }

    private init(_ snapshot: RelaySnapshot) {
        self.snapshot = snapshot
        facts = snapshot.facts
        totals = snapshot.totals
    }

    private func process(_ json: inout JSONDocument) {
        let readiness = Readiness(snapshot)
        json.field("version", RelayVersion.current)
        json.field("hostname", facts.hostname)
        json.field("backend", facts.backend)
        json.field("now", Int(facts.now))
        json.field("started", Int(facts.startedAt))
        json.field("draining", facts.isDraining)
        json.field("ready", readiness.isReady)
        json.field("not_ready_because", readiness.reasons)
        if let end = facts.certificateEnd {
            json.field("certificate_end", Int(end))
        } else {
            json.null("certificate_end")
        }
        json.object("memory") {
            $0.field("budget", facts.memoryBytesMax)
            $0.field("reserved", facts.memoryBytesReserved)
            $0.field("waiting", facts.memoryWaiting)
            $0.field("resident", facts.process.residentBytes)
        }
        json.object("temporary") {
            $0.field("budget", facts.temporaryBytesMax)
            $0.field("used", facts.temporaryBytesUsed)
        }
        json.field("accounts", facts.accountCount)
        json.object("descriptors") {
            $0.field("open", facts.process.descriptors)
            $0.field("max", facts.process.descriptorsMax)
        }
        json.field("sessions_max", facts.sessionsMax)
        json.field("duplicate_records", facts.ledger.records)
        json.object("ledger") {
            $0.field("home", facts.ledger.kind)
            $0.field("reachable", facts.ledger.isReachable)
            $0.field("waiting", facts.ledger.waiting)
        }
        json.field("log_lines_dropped", facts.logLinesDropped)
        json.field("cpu_ns", facts.process.cpuNanoseconds)
    }

    private func listeners(_ json: inout JSONDocument) {
        json.array("listeners") { list in
            for (spec, counts) in zip(facts.listeners, totals.listeners) {
                list.object {
                    $0.field("address", "\(spec.address)")
                    $0.field("mode", spec.modeWord)
                    $0.families(ListenerCounters.families, of: counts)
                }
            }
        }
    }

    private func traffic(_ json: inout JSONDocument) {
        json.field("sessions", totals.sessions)
        json.families(RelayCounters.messageFamilies, of: totals.counters)
        json.families(RelayCounters.sessionFamilies, of: totals.counters)
        json.families(KeyCheckCounts.families, of: totals.keyChecks)
        json.families(RelayCounters.lossFamilies, of: totals.counters)
        json.families(RelayCounters.guardFamilies, of: totals.counters)
        json.families(RelayCounters.boundFamilies, of: totals.counters)
        json.families(LoopCounters.clientFamilies, of: totals.loop)
        json.families(LoopCounters.networkFamilies, of: totals.loop)
    }

    private func latencies(_ json: inout JSONDocument) {
        json.array("bounds_us") { list in
            for bucket in 0..<LatencyHistogram.boundCount {
                list.element(LatencyHistogram.boundMicroseconds(bucket))
            }
        }
        json.object("latency") {
            $0.families(RelayCounters.timeFamilies, of: totals.counters)
            $0.families(PoolCounters.timeFamilies, of: totals.pool)
        }
    }

    private func api(_ json: inout JSONDocument) {
        json.object("api") {
            $0.field("queued", totals.queued)
            $0.families(PoolCounters.doubtFamilies, of: totals.pool)
            $0.families(PoolCounters.failureFamilies, of: totals.pool)
            $0.families(PoolCounters.boundFamilies, of: totals.pool)
            $0.families(PoolCounters.answerFamilies, of: totals.pool)
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

    private func loops(_ json: inout JSONDocument) {
        json.array("loops") { list in
            for worker in snapshot.workers {
                list.object {
                    $0.field("loop", worker.index)
                    $0.field("answered", !snapshot.silentLoops.contains(worker.index))
                    $0.field("sessions", worker.sessions)
                    $0.families(LoopCounters.timeFamilies, of: worker.loop)
                    $0.field("slabs", worker.gauges.slabsUsed)
                    $0.field("timers", worker.gauges.timersArmed)
                    $0.families(LoopCounters.turnFamilies, of: worker.loop)
                }
            }
        }
    }
}

extension JSONDocument {
    /// What the status report shows of these families.
    fileprivate mutating func families<Group: CounterGroup>(
        _ families: [CounterFamily<Group>], of group: Group
    ) {
        for family in families {
            let readings = family.counters.map { ($0.label, $0.counter.read(group)) }
            for status in family.status {
                switch status {
                case .value(let key): field(key, readings[0].1)
                case .sum(let key): field(key, readings.reduce(0) { $0 &+ $1.1.number })
                case .object(let key):
                    object(key) {
                        for (label, reading) in readings { $0.field(label, reading) }
                    }
                case .one(let key, let wanted):
                    guard let reading = readings.first(where: { $0.0 == wanted }) else {
                        preconditionFailure("no counter of \(key) is called \(wanted)")
                    }
                    field(key, reading.1)
                }
            }
        }
    }

    private mutating func field(_ key: String, _ reading: CounterReading) {
        switch reading {
        case .number(let number): field(key, number)
        case .byKind(let kinds):
            object(key) {
                for (kind, count) in kinds { $0.field(kind, count) }
            }
        case .times(let times):
            array(key) { list in
                for bucket in 0...LatencyHistogram.boundCount {
                    list.element(Int(clamping: times.count(inBucket: bucket)))
                }
            }
        }
    }
}

extension CounterReading {
    /// The number of a plain counter; only such are added up.
    fileprivate var number: UInt64 {
        guard case .number(let number) = self else {
            preconditionFailure("only numbers have a sum")
        }
        return number
    }
}
