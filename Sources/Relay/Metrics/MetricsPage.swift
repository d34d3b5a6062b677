// What /metrics shows of clients and messages. docs/metrics.md lists every family; a test holds the
// list against the page.

import Log
import Mapping
import Reactor

/// The page for Prometheus.
enum MetricsPage {
    static func text(_ snapshot: RelaySnapshot) -> [UInt8] {
        var text = MetricsText()
        let totals = snapshot.totals
        text.process(snapshot.facts)
        text.connections(snapshot.facts, totals)
        text.sessions(totals, snapshot.facts)
        text.messages(totals.counters)
        text.latencies(totals)
        text.api(totals)
        text.guards(totals.counters, snapshot.facts)
        text.loops(snapshot)
        return text.bytes
    }
}

extension MetricsText {
    fileprivate mutating func connections(_ facts: RelayFacts, _ totals: RelayTotals) {
        let listeners = Array(zip(facts.listeners, totals.listeners))
        family("connections_total", .counter, "Connections that became sessions.")
        for (spec, counts) in listeners {
            sample(["listener": "\(spec.address)", "mode": spec.modeWord], counts.accepted)
        }
        family("connections_refused_total", .counter, "Connections that were turned away, and why.")
        for (spec, counts) in listeners {
            let address = "\(spec.address)"
            sample(["listener": address, "reason": "connections"], counts.overConnections)
            sample(["listener": address, "reason": "handshakes"], counts.overHandshakes)
            sample(["listener": address, "reason": "descriptors"], counts.overDescriptors)
        }
        family("tls_handshakes_total", .counter, "TLS handshakes of clients that were finished.")
        for (spec, counts) in listeners {
            let address = "\(spec.address)"
            sample(["listener": address, "version": "TLSv1.2"], counts.handshakesTLS12)
            sample(["listener": address, "version": "TLSv1.3"], counts.handshakesTLS13)
        }
        family(
            "tls_handshakes_resumed_total", .counter, "Finished handshakes that resumed a session.")
        for (spec, counts) in listeners {
            sample(["listener": "\(spec.address)"], counts.handshakesResumed)
        }
        family(
            "tls_handshakes_failed_total", .counter,
            "Connections that ended before their handshake was finished.")
        for (spec, counts) in listeners {
            sample(["listener": "\(spec.address)"], counts.handshakesFailed)
        }
        family(
            "proxy_headers_refused_total", .counter,
            "Connections of balancers without a good PROXY header, by what was wrong.")
        for (spec, counts) in listeners {
            let address = "\(spec.address)"
            sample(["listener": address, "reason": "malformed"], counts.headersBad)
            sample(["listener": address, "reason": "timeout"], counts.headersLate)
            sample(["listener": address, "reason": "closed"], counts.headersMissing)
        }
        counter(
            "accept_pauses_total", Int(totals.acceptPauses),
            "Times a listener rested for want of descriptors or memory.")
    }

    fileprivate mutating func sessions(_ totals: RelayTotals, _ facts: RelayFacts) {
        let counters = totals.counters
        gauge("sessions", totals.sessions, "Sessions that are open.")
        gauge("sessions_max", facts.sessionsMax, "Sessions that descriptors allow.")
        counter("sessions_closed_total", counters.sessionsClosed, "Sessions that have ended.")
        family("commands_total", .counter, "Lines of clients by command.")
        for verb in CommandVerb.allCases { sample(["command": verb.word], counters.commands[verb]) }
        counter(
            "bare_line_feeds_total", counters.bareLineFeeds,
            "Command lines that ended without a carriage return, in sessions that have ended.")
        family("replies_total", .counter, "Replies to clients by code.")
        for (code, count) in counters.replies.present { sample(["code": "\(code)"], count) }
        family("logins_total", .counter, "Login attempts by outcome.")
        sample(["outcome": "accepted"], counters.loginsAccepted)
        sample(["outcome": "wrong-key"], counters.loginsRefused)
        sample(["outcome": "wrong-username"], counters.loginsWrongUsername)
        sample(["outcome": "unavailable"], counters.loginsUnavailable)
        sample(["outcome": "turned-away"], counters.loginsTurnedAway)
        family("key_checks_total", .counter, "Questions about keys by who answered them.")
        sample(["source": "cache"], totals.keyChecks.fromCache)
        sample(["source": "api"], totals.keyChecks.asked)
        sample(["source": "shared"], totals.keyChecks.joined)
        family(
            "network_bytes_total", .counter, "Bytes on the wire, to and from clients and the API.")
        sample(["direction": "received"], totals.bytesReceived)
        sample(["direction": "sent"], totals.bytesSent)
    }

    fileprivate mutating func messages(_ counters: RelayCounters) {
        family("messages_total", .counter, "Messages whose DATA began, by outcome.")
        for kind in OutcomeKind.allCases {
            sample(["outcome": kind.word], counters.messages.count(kind))
        }
        family("message_bytes_total", .counter, "Bytes of content of messages by outcome.")
        for kind in OutcomeKind.allCases {
            sample(["outcome": kind.word], counters.messages.bytes(kind))
        }
        counter(
            "messages_unawaited_total", counters.messagesUnawaited,
            "Messages whose client left while the API was asked.")
        counter(
            "content_bytes_total", counters.contentBytes,
            "Bytes of content that arrived, of messages that were thrown away too.")
        family(
            "message_losses_total", .counter, "What messages lost on the way to the API, by kind.")
        for kind in MappingLosses.kinds {
            sample(["kind": "\(kind.name)"], counters.losses[keyPath: kind.count])
        }
    }

    fileprivate mutating func latencies(_ totals: RelayTotals) {
        family(
            "handshake_seconds", .histogram,
            "TLS handshakes of clients, from the connection or STARTTLS.")
        histogram([:], totals.counters.handshakeTimes)
        family("login_seconds", .histogram, "From a client's key until the word on it.")
        histogram([:], totals.counters.loginTimes)
        family("data_seconds", .histogram, "From 354 to the final dot.")
        histogram([:], totals.counters.dataTimes)
        family("answer_seconds", .histogram, "From the final dot to the reply.")
        histogram([:], totals.counters.answerTimes)
        family(
            "api_seconds", .histogram,
            "Answered calls of the API, from the whole request, waiting for a connection included.")
        histogram(["call": "send"], totals.pool.sendTimes)
        histogram(["call": "check"], totals.pool.checkTimes)
    }

    fileprivate mutating func guards(_ counters: RelayCounters, _ facts: RelayFacts) {
        family("duplicates_total", .counter, "Hits of the duplicate guard, and what they came to.")
        sample(["result": "answered"], counters.duplicatesAnswered)
        sample(["result": "pending"], counters.duplicatesPending)
        sample(["result": "recipient-skipped"], counters.duplicateRecipients)
        gauge("duplicate_records", facts.duplicateRecords, "Records of the duplicate guard.")
        gauge(
            "abuse_entries", facts.abuseEntries,
            "Addresses and prefixes whose connections and failures are counted.")
        family("memory_budget_bytes", .gauge, "Memory for messages: all, and what is reserved.")
        sample(["state": "max"], facts.memoryBytesMax)
        sample(["state": "reserved"], facts.memoryBytesReserved)
        gauge("memory_waiting", facts.memoryWaiting, "Messages that wait for memory.")
    }

    fileprivate mutating func process(_ facts: RelayFacts) {
        family("build_info", .gauge, "Always 1; what runs.")
        sample(["version": RelayVersion.current, "backend": facts.backend], 1)
        family("draining", .gauge, "1 from the signal to stop until the end.")
        sample([:], facts.isDraining)
        if let end = facts.certificateEnd {
            gauge(
                "certificate_end_timestamp_seconds", Int(end),
                "When the server certificate ends, in seconds since 1970.")
        }
        counter(
            "log_lines_dropped_total", facts.logLinesDropped,
            "Log lines that were dropped because nobody read them.")
        family("process_cpu_seconds_total", .counter, "User and system time of the process.")
        sample([:], nanoseconds: facts.process.cpuNanoseconds)
        gauge(
            "process_resident_memory_bytes", facts.process.residentBytes, "Memory that is resident."
        )
        gauge(
            "process_virtual_memory_bytes", facts.process.virtualBytes, "Memory that is mapped.")
        gauge("process_threads", facts.process.threads, "Threads.")
        gauge("process_open_fds", facts.process.descriptors, "Open descriptors.")
        gauge("process_max_fds", facts.process.descriptorsMax, "Descriptors that may be open.")
        gauge(
            "process_start_time_seconds", Int(facts.startedAt),
            "When the process began, in seconds since 1970.")
    }
}

extension ListenerSpec {
    /// For metrics and the log.
    var modeWord: String { isImplicitTLS ? "implicit" : "starttls" }
}
