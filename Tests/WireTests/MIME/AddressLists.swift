// Address lists and the mailboxes that they must give. Tables of one type each, which compile fast.

/// A list and its mailboxes as `Name<address>`.
struct ListCase: CustomStringConvertible, Sendable {
    var value: String
    var expected: [String]
    var description: String { value }

    init(_ value: String, _ expected: String...) {
        self.value = value
        self.expected = expected
    }
}

enum AddressLists {
    /// RFC 5322 appendix A.
    static let ofTheRFC: [ListCase] = [
        ListCase("John Doe <jdoe@machine.example>", "John Doe<jdoe@machine.example>"),
        ListCase(
            "\"Joe Q. Public\" <john.q.public@example.com>",
            "Joe Q. Public<john.q.public@example.com>"),
        ListCase(
            "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
            "Mary Smith<mary@x.test>", "<jdoe@example.org>", "Who?<one@y.test>"),
        ListCase(
            "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
            "<boss@nil.test>", "Giant; \"Big\" Box<sysservices@example.net>"),
        ListCase(
            "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
            "Ed Jones<c@a.test>", "<joe@where.test>", "John<jdoe@one.test>"),
        ListCase("Undisclosed recipients:;"),
        ListCase(
            "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
            "Pete<pete@silly.test>"),
        ListCase(
            "A Group(Some people)\r\n :Chris Jones <c@(Chris's host.)public.example>,\r\n joe@example.org,\r\n John <jdoe@one.test> (my dear friend); (the end)",
            "Chris Jones<c@public.example>", "<joe@example.org>", "John<jdoe@one.test>"),
        ListCase("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;"),
        ListCase(
            "Joe Q. Public <john.q.public@example.com>", "Joe Q. Public<john.q.public@example.com>"),
        ListCase(
            "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
            "Mary Smith<mary@example.net>", "<jdoe@test.example>"),
        ListCase("John Doe <jdoe@machine(comment).  example>", "John Doe<jdoe@machine.example>"),
        ListCase("Mary Smith\r\n    \r\n\t<mary@example.net>", "Mary Smith<mary@example.net>"),
    ]

    static let seenInTheWild: [ListCase] = [
        ListCase("a@b.c (Jane (J) Doe)", "Jane (J) Doe<a@b.c>"),
        ListCase("(Jane) a@b.c", "Jane<a@b.c>"),
        ListCase("<a@b.c> (Jane)", "Jane<a@b.c>"),
        ListCase("<a@b.c> Jane Doe", "Jane Doe<a@b.c>"),
        ListCase("Jane Doe a@b.c", "Jane Doe<a@b.c>"),
        ListCase("phil@x.y <phil@x.y>", "phil@x.y<phil@x.y>"),
        ListCase("J. @ Work <a@b.c>", "J. @ Work<a@b.c>"),
        ListCase("a@b.c; d@e.f", "<a@b.c>", "<d@e.f>"),
        ListCase("a@b.c d@e.f", "<a@b.c>", "<d@e.f>"),
        ListCase("a@b.c d@e.f\r\n g@h.i, j@k.l", "<a@b.c>", "<d@e.f>", "<g@h.i>", "<j@k.l>"),
        ListCase("a@b.c (A) d@e.f (D)", "A<a@b.c>", "D<d@e.f>"),
        ListCase("(A) a@b.c (B) d@e.f", "A<a@b.c>", "<d@e.f>"),
        ListCase("Ann a@b.c Dan d@e.f; g@h", "Ann<a@b.c>", "<d@e.f>", "<g@h>"),
        ListCase("Friends: a@b.c d@e.f;, g@h.i", "<a@b.c>", "<d@e.f>", "<g@h.i>"),
        ListCase("a@b.c d@e.f <g@h.i>", "a@b.c d@e.f<g@h.i>"),
        ListCase("a@b.c d@e.f <g@h.i> j@k.l m@n.o", "a@b.c d@e.f<g@h.i>"),
        ListCase("a@b.c @work", "<a@b.c@work>"),
        ListCase("a@b.c d@", "d@<a@b.c>"),
        ListCase("a@b.c \"d@e.f\"", "d@e.f<a@b.c>"),
        ListCase("=?utf-8?q?a=40b=2Ec_d=40e=2Ef?=", "<a@b.c>", "<d@e.f>"),
        ListCase("A <a@b.c> B <d@e.f>", "A<a@b.c>", "B<d@e.f>"),
        ListCase("<a@b.c><d@e.f>", "<a@b.c>", "<d@e.f>"),
        ListCase("<a@b.c, D <d@e.f>", "<a@b.c>", "D<d@e.f>"),
        ListCase("<a@b.c, d@e.f>", "<a@b.c>", "<d@e.f>"),
        ListCase("<<a@b.c>>", "<a@b.c>"),
        ListCase("A <a@b.c", "A<a@b.c>"),
        ListCase("\"Doe, John <a@b.c>, d@e.f", "John<a@b.c>", "<d@e.f>"),
        ListCase("John (Smith <a@b.c>, d@e.f", "John (Smith<a@b.c>", "<d@e.f>"),
        ListCase("<mailto:a@b.c>, mailto:d@e.f", "<a@b.c>", "<d@e.f>"),
        ListCase("\"john.doe\"@b.c, \"john doe\"@b.c", "<john.doe@b.c>", "<\"john doe\"@b.c>"),
        ListCase("<\"a\\\"b\\\\\"@b.c>", "<\"a\\\"b\\\\\"@b.c>"),
        ListCase("<\"a>b\"@b.c>", "<\"a>b\"@b.c>"),
        ListCase("<\"a@x\"@b.c>", "<\"a@x\"@b.c>"),
        ListCase("a @ b . c, j . d@e.f", "<a@b.c>", "<j.d@e.f>"),
        ListCase("a@[127.0.0.1], b@[IPv6:::1]", "<a@[127.0.0.1]>", "<b@[IPv6:::1]>"),
        ListCase("用户@例子.广告, Jürgen <jürgen@müller.de>", "<用户@例子.广告>", "Jürgen<jürgen@müller.de>"),
        ListCase("=?utf-8?q?J=C3=BCrgen?= Doe <a@b.c>", "Jürgen Doe<a@b.c>"),
        ListCase("\"=?utf-8?q?J=C3=BCrgen?=\" <a@b.c>", "Jürgen<a@b.c>"),
        ListCase("=?utf-8?Q?Doe,_J=2E?= <a@b.c>", "Doe, J.<a@b.c>"),
        ListCase("=?utf-8?Q?a:b;<c>?= <a@b.c>", "a:b;<c><a@b.c>"),
        ListCase("=?utf-8?q?a?= =?utf-8?q?b?= <a@b.c>", "ab<a@b.c>"),
        ListCase("a@b.c (=?iso-8859-1?q?Andr=E9?=)", "André<a@b.c>"),
        ListCase("\"A\" \"B\" <a@b.c>", "A B<a@b.c>"),
        ListCase("\"A\r\n B\" <a@b.c>", "A B<a@b.c>"),
        ListCase("\"\" <a@b.c>", "<a@b.c>"),
        ListCase(
            "List 1: a@b.c, d@e.f; List 2: g@h.i; j@k.l", "<a@b.c>", "<d@e.f>", "<g@h.i>", "<j@k.l>"
        ),
        ListCase("<a@b.c>: x, d@e.f", "<a@b.c>", "<d@e.f>"),
        ListCase(",,; ,a@b.c,", "<a@b.c>"),
        ListCase(
            "a..b@docomo.ne.jp, a.@docomo.ne.jp, .a@x.y", "<a..b@docomo.ne.jp>",
            "<a.@docomo.ne.jp>", "<.a@x.y>"),
        ListCase("<a..b.@docomo.ne.jp>", "<a..b.@docomo.ne.jp>"),
        ListCase("\"a..b\"@c.d", "<\"a..b\"@c.d>"),
        ListCase("\"\"@c.d", "<\"\"@c.d>"),
        ListCase("=?utf-8?B?SsO8cmdlbiA=?= =?utf-8?B?RG9l?= <a@b.c>", "Jürgen Doe<a@b.c>"),
        ListCase("(=?utf-8?q?J=C3=BCrgen?= (Doe)) <a@b.c>", "Jürgen (Doe)<a@b.c>"),
        ListCase("\"Doe, =?utf-8?q?J=C3=BCrgen?=\" <a@b.c>", "Doe, Jürgen<a@b.c>"),
        ListCase(
            "Ünïcode Nämé <ä.ö@ü.example>, 日本 <日本@例え.jp>", "Ünïcode Nämé<ä.ö@ü.example>",
            "日本<日本@例え.jp>"),
        ListCase(
            "Team: Jane <a@b.c>, (x) d@e.f (Dan);, g@h.i", "Jane<a@b.c>", "x<d@e.f>", "<g@h.i>"),
        ListCase("\"A: B\": a@b.c;", "<a@b.c>"),
        ListCase("<@one.example,@two.example:a@b.c>", "<a@b.c>"),
        ListCase("a(one)@(two)b(three).c", "one<a@b.c>"),
    ]
}
