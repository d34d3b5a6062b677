// What closes an HTML text that another text follows, however the text is cut.

import TestSupport
import Testing
import Wire

@testable import Mapping

@Suite("What an HTML text leaves open")
struct OpenMarkupTests {
    private static let rows: [(html: String, closing: String)] = [
        ("", ""), ("a", ""), ("<p>a</p>", ""), ("a < b", ""), ("a <3", ""), ("a <", " "),
        ("<<", " "), ("a <<p>", ""), ("<p", ">"), ("</p", ">"), ("</", ">"), ("<p ", ">"),
        ("<p a", ">"), ("<p a=", ">"), ("<p a=b", ">"), ("<p a='b", "'>"), ("<p a= \"b'", "\\\">"),
        ("<p a='>'>", ""), ("<p a=b'>", ""), ("<p a=b?c=\"d>", ""), ("<p \"a>", ""), ("<br/>", ""),
        ("<!--", "-->"), ("<!-- a > b", "-->"), ("<!-- a --", "-->"), ("<!-->", ""), ("<!--->", ""),
        ("<!-- a -->", ""), ("<!-- a --!>", ""), ("<!-", ">"), ("<!DOCTYPE html", ">"),
        ("<!DOCTYPE html>", ""), ("<?xml version='1.0'", ">"), ("<![if mso", ">"),
        ("<!--[if mso]><p>a</p><![endif]-->", ""), ("<!--[if mso]><p>a</p>", "-->"),
        ("<style>", "</style>"), ("<STYLE>p > b { }", "</style>"), ("<style", "></style>"),
        ("<style type='", "'></style>"), ("<style></style>", ""), ("<style></style ", ">"),
        ("<style></sty", "</style>"), ("<style><</style>", ""), ("<style></styles>", "</style>"),
        ("<styles>", ""), ("</style>", ""), ("<title>a<b>", "</title>"), ("<title/>a", "</title>"),
        ("<script>if (a < b) '<!--'", "</script>"), ("<script src=x></script>", ""),
        ("<textarea>", "</textarea>"), ("<noframes>a", "</noframes>"),
        ("<iframe src=x>", "</iframe>"),
        ("<noframeset>", ""), ("<title>a</title><style>", "</style>"),
    ]

    @Test("Closed at its end, in any cut, and nothing is left for the next text")
    func closing() {
        for row in Self.rows {
            let bytes = Array(row.html.utf8)
            for plan in Splits.plans(for: bytes.count, random: 4) {
                var machine = OpenMarkup()
                var at = 0
                for length in plan {
                    machine.feed(bytes.span.extracting(at..<at + length))
                    at += length
                }
                var closing = ""
                machine.close { closing += $0.description }
                #expect(closing == row.closing, "\(row.html)")
                machine.close { closing += $0.description }
                #expect(closing == row.closing, "\(row.html), again")
            }
        }
    }

    @Test("The text with its closing leaves nothing open")
    func closed() {
        for row in Self.rows {
            let closing = row.closing.replacing("\\\"", with: "\"")
            let bytes = Array((row.html + closing).utf8)
            var machine = OpenMarkup()
            machine.feed(bytes.span)
            var rest = ""
            machine.close { rest += $0.description }
            #expect(rest.isEmpty, "\(row.html)")
        }
    }
}
