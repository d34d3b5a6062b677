// Where the public corpus of messages is, for the tests that read it: CORPUS_DIR, or ../shared/corpus
// beside the repository. Those tests say so and pass when it is not there.

import Foundation

/// The folder of the corpus, whether it is there or not.
let corpus: URL = {
    var root = URL(filePath: #filePath)
    for _ in 0..<4 { root.deleteLastPathComponent() }
    let path = ProcessInfo.processInfo.environment["CORPUS_DIR"] ?? "../shared/corpus"
    return URL(filePath: path, relativeTo: root)
}()
