// What /metrics shows: the families of all counters, and between them the gauges, which are read
// when they are shown. docs/metrics.md lists every family; a test holds the list against the page.

import APIClient
import Log
import Reactor

/// The page for Prometheus.
struct MetricsPage {
    private var text = MetricsText()
    private let snapshot: RelaySnapshot
    private let facts: RelayFacts
    private let totals: RelayTotals

    static func text(_ snapshot: RelaySnapshot) -> [UInt8] {
        var page = MetricsPage(snapshot)
        page.process()
        page.connections()
        page.sessions()
        page.messages()
        page.api()
        page.guards()
        page.loops()
        return page.text.bytes
    }

    private init(_ snapshot: RelaySnapshot) {
        self.snapshot = snapshot
        facts = snapshot.facts
        totals = snapshot.totals
    }

    private mutating func process() {
        text.family("build_info", .gauge, "Always 1; what runs.")
        text.sample(["version": RelayVersion.current, "backend": facts.backend], 1)
        text.family("draining", .gauge, "1 from the signal to stop until the end.")
        text.sample([:], facts.isDraining)
        if let end = facts.certificateEnd {
            text.gauge(
                "certificate_end_timestamp_seconds", Int(end),
                "When the server certificate ends, in seconds since 1970.")
        }
        text.counter(
            "log_lines_dropped_total", facts.logLinesDropped,
            "Log lines that were dropped because nobody read them.")
        text.family(
            "admin_calls_total", .counter, "Calls of operators that were carried out, by kind.")
        for (label, count) in facts.adminCalls.labelled { text.sample(["call": label], count) }
        text.gauge(
            "traces", facts.followed,
            "Keys and addresses whose sessions are written down for some minutes.")
        text.family("process_cpu_seconds_total", .counter, "User and system time of the process.")
        text.sample([:], nanoseconds: facts.process.cpuNanoseconds)
        text.gauge(
            "process_resident_memory_bytes", facts.process.residentBytes, "Memory that is resident."
        )
        text.gauge(
            "process_virtual_memory_bytes", facts.process.virtualBytes, "Memory that is mapped.")
        text.gauge("process_threads", facts.process.threads, "Threads.")
        text.gauge("process_open_fds", facts.process.descriptors, "Open descriptors.")
        text.gauge("process_max_fds", facts.process.descriptorsMax, "Descriptors that may be open.")
        text.gauge(
            "process_start_time_seconds", Int(facts.startedAt),
            "When the process began, in seconds since 1970.")
    }

    private mutating func connections() {
        let listeners = zip(facts.listeners, totals.listeners).map { spec, counts in
            (
                labels: ["listener": "\(spec.address)", "mode": spec.modeWord] as MetricLabels,
                counts
            )
        }
        text.families(ListenerCounters.families, of: listeners)
        text.families(LoopCounters.clientFamilies, of: totals.loop)
    }

    private mutating func sessions() {
        text.gauge("sessions", totals.sessions, "Sessions that are open.")
        text.gauge("sessions_max", facts.sessionsMax, "Sessions that descriptors allow.")
        text.families(RelayCounters.sessionFamilies, of: totals.counters)
        text.families(KeyCheckCounts.families, of: totals.keyChecks)
        text.families(LoopCounters.networkFamilies, of: totals.loop)
    }

    private mutating func messages() {
        text.families(RelayCounters.messageFamilies, of: totals.counters)
        text.families(RelayCounters.lossFamilies, of: totals.counters)
        text.families(RelayCounters.timeFamilies, of: totals.counters)
        text.families(PoolCounters.timeFamilies, of: totals.pool)
    }

    private mutating func api() {
        text.families(PoolCounters.answerFamilies, of: totals.pool)
        text.families(PoolCounters.failureFamilies, of: totals.pool)
        text.families(PoolCounters.boundFamilies, of: totals.pool)
        text.families(PoolCounters.doubtFamilies, of: totals.pool)
        text.families(PoolCounters.handshakeFamilies, of: totals.pool)
        text.gauge("api_queue", totals.queued, "Calls that wait for a connection.")
        text.gauge(
            "api_ready_loops", totals.readyLoops,
            "Loops that have an address of the API that is believed usable.")
        addresses()
    }

    private mutating func addresses() {
        let addresses =
            totals.addresses.map { (labels: ["address": "\($0.address)"], $0) }
            as [(labels: MetricLabels, report: AddressReport)]
        text.family("api_address_up", .gauge, "0 while an address of the API rests on every loop.")
        for (labels, report) in addresses { text.sample(labels, report.health == .healthy) }
        text.family(
            "api_connections", .gauge,
            "Connections to the API by address, HTTP version and state.")
        for (labels, report) in addresses {
            let labels = labels.with("http", report.version.rawValue)
            text.sample(labels.with("state", "opening"), report.opening)
            text.sample(labels.with("state", "idle"), report.idle)
            text.sample(labels.with("state", "busy"), report.busy)
        }
        text.family(
            "api_calls_in_flight", .gauge,
            "Calls on connections to the API: over HTTP/2 the streams in use.")
        for (labels, report) in addresses {
            text.sample(labels.with("http", report.version.rawValue), report.callsInFlight)
        }
        text.family(
            "api_calls_total", .counter, "Times a call was put on a connection, by address.")
        for (labels, report) in addresses { text.sample(labels, report.calls) }
        text.family(
            "api_connections_opened_total", .counter, "Connections to the API that were opened.")
        for (labels, report) in addresses { text.sample(labels, report.connectionsOpened) }
        text.family(
            "api_connections_failed_total", .counter,
            "Connections to the API that could not be opened.")
        for (labels, report) in addresses { text.sample(labels, report.connectionsFailed) }
    }

    private mutating func guards() {
        text.families(RelayCounters.guardFamilies, of: totals.counters)
        text.gauge("duplicate_records", facts.ledger.records, "Records of the duplicate guard.")
        ledger(facts.ledger)
        text.gauge(
            "abuse_entries", facts.abuseEntries,
            "Addresses and prefixes whose connections and failures are counted.")
        text.family(
            "memory_budget_bytes", .gauge, "Memory for messages: all, and what is reserved.")
        text.sample(["state": "max"], facts.memoryBytesMax)
        text.sample(["state": "reserved"], facts.memoryBytesReserved)
        text.gauge("memory_waiting", facts.memoryWaiting, "Messages that wait for memory.")
        text.family(
            "temporary_budget_bytes", .gauge,
            "Bytes for temporary files: all, and what files hold.")
        text.sample(["state": "max"], facts.temporaryBytesMax)
        text.sample(["state": "used"], facts.temporaryBytesUsed)
        text.gauge("accounts", facts.accountCount, "API keys that sessions or messages hold.")
        text.families(RelayCounters.boundFamilies, of: totals.counters)
    }

    private mutating func ledger(_ status: LedgerStatus) {
        text.family("ledger_up", .gauge, "0 while the ledger's home is out of reach, by home.")
        text.sample(["home": status.kind], status.isReachable)
        text.gauge("ledger_bytes", status.bytes, "Bytes of the ledger's records in memory, about.")
        text.gauge("ledger_waiting", status.waiting, "Changes that the home has not got yet.")
        text.counter(
            "ledger_failures_total", status.failures, "Times that the ledger's home failed.")
        text.counter(
            "ledger_refused_total", status.refused, "Records for which there was no room.")
        text.counter(
            "ledger_lost_total", status.lost, "Changes that the home never got: too many waited.")
        text.counter(
            "ledger_questions_total", status.questions, "Questions to the server of the ledger.")
        text.counter(
            "ledger_timeouts_total", status.timeouts,
            "Questions that the server of the ledger did not answer within 50 ms.")
    }

    private mutating func loops() {
        let workers =
            snapshot.workers.map { (labels: ["loop": "\($0.index)"], $0) }
            as [(labels: MetricLabels, worker: WorkerSnapshot)]
        let counts = workers.map { (labels: $0.labels, counts: $0.worker.loop) }
        text.family("loop_answered", .gauge, "0 when a loop was too busy to answer this scrape.")
        for (labels, worker) in workers {
            text.sample(labels, !snapshot.silentLoops.contains(worker.index))
        }
        text.family("loop_sessions", .gauge, "Sessions of a loop.")
        for (labels, worker) in workers { text.sample(labels, worker.sessions) }
        text.families(LoopCounters.timeFamilies, of: counts)
        text.families(LoopCounters.turnFamilies, of: counts)
        text.family("loop_slabs", .gauge, "Blocks of 16 KiB that a loop has handed out, or keeps.")
        for (labels, worker) in workers {
            text.sample(labels.with("state", "used"), worker.gauges.slabsUsed)
            text.sample(labels.with("state", "free"), worker.gauges.slabsFree)
        }
        text.family("loop_timers", .gauge, "Deadlines that are armed on a loop.")
        for (labels, worker) in workers { text.sample(labels, worker.gauges.timersArmed) }
        text.family("loop_slots", .gauge, "Streams, listeners and timers of a loop.")
        for (labels, worker) in workers { text.sample(labels, worker.gauges.slotsUsed) }
    }
}
