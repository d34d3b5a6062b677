// Which leaf becomes a body and which one an attachment, as a table of leaves in their order.

import Testing
import Wire

@testable import Mapping

/// Leaves of a message, and where each goes.
struct RoutingCase: CustomStringConvertible, Sendable {
    /// One leaf.
    struct Leaf: Sendable {
        var media: EntityTraits.Media
        var isAttachment = false
        var isEmpty = false
        var route: PartRouting.Route
    }

    var name: String
    var hasTemplate = false
    var leaves: [Leaf]
    var hasBody = true
    var description: String { name }
}

@Suite("Which part goes where")
struct PartRoutingTests {
    static let cases: [RoutingCase] = [
        RoutingCase(
            name: "the first text and the first HTML are the bodies",
            leaves: [
                .init(media: .textPlain, route: .body), .init(media: .textHTML, route: .body),
                .init(media: .textPlain, route: .attachment),
                .init(media: .textHTML, route: .attachment),
            ]),
        RoutingCase(
            name: "an empty text leaves the place to the next one",
            leaves: [
                .init(media: .textPlain, isEmpty: true, route: .body),
                .init(media: .textPlain, route: .body),
                .init(media: .textPlain, route: .attachment),
            ]),
        RoutingCase(
            name: "a text that is an attachment is no body",
            leaves: [
                .init(media: .textPlain, isAttachment: true, route: .attachment),
                .init(media: .textPlain, route: .body),
            ]),
        RoutingCase(
            name: "other texts, messages and files are attached",
            leaves: [
                .init(media: .textOther, route: .attachment),
                .init(media: .messageRFC822, route: .attachment),
                .init(media: .other, route: .attachment),
            ], hasBody: false),
        RoutingCase(
            name: "a template replaces the bodies, and only them",
            hasTemplate: true,
            leaves: [
                .init(media: .textPlain, route: .replacedByTemplate),
                .init(media: .textPlain, route: .attachment),
                .init(media: .other, route: .attachment),
                .init(media: .textHTML, isEmpty: true, route: .replacedByTemplate),
                .init(media: .textHTML, route: .attachment),
            ]),
    ]

    @Test("Each leaf goes where its kind and the leaves before it send it", arguments: cases)
    func routes(example: RoutingCase) {
        var routing = PartRouting()
        for (number, leaf) in example.leaves.enumerated() {
            var traits = EntityTraits()
            traits.media = leaf.media
            traits.isAttachment = leaf.isAttachment
            let route = routing.route(traits, hasTemplate: example.hasTemplate)
            #expect(route == leaf.route, "leaf \(number)")
            if route == .body, !leaf.isEmpty {
                routing.bodyWritten(isHTML: leaf.media == .textHTML)
            }
        }
        #expect(routing.hasBody == example.hasBody)
    }
}
