// The Prometheus text format, and the tables behind the counters.

import Reactor
import Testing
import Wire

@testable import APIClient
@testable import Relay

@Suite struct MetricsTextTests {
    private func text(_ write: (inout MetricsText) -> Void) -> String {
        var page = MetricsText()
        write(&page)
        return String(decoding: page.bytes, as: UTF8.self)
    }

    @Test("Families have HELP and TYPE, samples their labels in order")
    func families() {
        let page = text {
            $0.family("things_total", .counter, "Things.")
            $0.sample(["a": "x", "b": "y"], 3)
            $0.sample([:], 4)
            $0.gauge("process_threads", 5, "Threads.")
        }
        #expect(
            page == """
                # HELP postscale_relay_things_total Things.
                # TYPE postscale_relay_things_total counter
                postscale_relay_things_total{a="x",b="y"} 3
                postscale_relay_things_total 4
                # HELP process_threads Threads.
                # TYPE process_threads gauge
                process_threads 5

                """)
    }

    @Test("Values of labels are escaped")
    func labels() {
        let page = text {
            $0.family("x", .gauge, "X.")
            $0.sample(["a": "back\\slash \"quote\"\nline"], 1)
        }
        #expect(page.contains(#"{a="back\\slash \"quote\"\nline"} 1"#))
    }

    @Test("Nanoseconds are written as exact seconds")
    func seconds() {
        let table: [(UInt64, String)] = [
            (0, "0"), (1, "0.000000001"), (128_000, "0.000128"), (1_500_000_000, "1.5"),
            (67_108_864_000, "67.108864"), (10_000_000_000, "10"),
            (.max, "18446744073.709551615"),
        ]
        for (nanoseconds, wanted) in table {
            #expect(MetricsText.seconds(nanoseconds: nanoseconds) == wanted)
        }
    }

    @Test("A histogram adds up its buckets, and may leave bounds out")
    func histograms() {
        var histogram = LatencyHistogram()
        for nanoseconds: UInt64 in [1, 128_001, 512_001, 99_000_000_000] {
            histogram.record(nanoseconds: nanoseconds)
        }
        let lines = text {
            $0.family("t_seconds", .histogram, "T.")
            $0.histogram(["loop": "0"], histogram, step: 4)
        }.split(separator: "\n").dropFirst(2)
        #expect(lines.first == #"postscale_relay_t_seconds_bucket{loop="0",le="0.000128"} 1"#)
        #expect(
            lines.dropFirst().first
                == #"postscale_relay_t_seconds_bucket{loop="0",le="0.000512"} 2"#)
        #expect(lines.suffix(3).first == #"postscale_relay_t_seconds_bucket{loop="0",le="+Inf"} 4"#)
        #expect(lines.suffix(2).first == #"postscale_relay_t_seconds_sum{loop="0"} 99.000640003"#)
        #expect(lines.last == #"postscale_relay_t_seconds_count{loop="0"} 4"#)
        // 39 bounds, every fourth of them, the last bucket, sum and count.
        #expect(lines.count == 13)
    }

    @Test("Codes from 100 to 599 are counted, others are not")
    func codes() {
        var counts = CodeCounts()
        for code in [100, 250, 250, 599, 99, 600, -1, .max, .min] { counts.count(code) }
        #expect(counts.present.map(\.code) == [100, 250, 599])
        #expect(counts[250] == 2)
        #expect(counts[99] == 0)
        var sum = counts
        sum.add(counts)
        #expect(sum[250] == 4)
    }

    @Test("Each command has its verb")
    func commands() {
        let lines: [(String, CommandVerb)] = [
            ("EHLO x", .ehlo), ("HELO x", .helo), ("STARTTLS", .starttls), ("AUTH PLAIN", .auth),
            ("MAIL FROM:<a@b.c>", .mail), ("RCPT TO:<a@b.c>", .rcpt), ("DATA", .data),
            ("RSET", .rset), ("NOOP", .noop), ("QUIT", .quit), ("VRFY x", .vrfy),
            ("EXPN x", .expn), ("HELP", .help), ("BDAT 1", .bdat), ("GET / HTTP/1.1", .http),
            ("NONSENSE", .malformed),
        ]
        for (line, verb) in lines {
            let bytes = Array(line.utf8)
            #expect(CommandVerb(Command.parse(bytes.span)) == verb)
        }
        #expect(lines.count == CommandVerb.allCases.count - 1)  // `response` is no verb.
    }
}
