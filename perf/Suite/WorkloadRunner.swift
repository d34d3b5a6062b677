// Runs a workload against a target, which is started before the run and ended after it.

import Glibc

/// Settings that several runs share.
struct WorkloadRunner {
    let workspace: Workspace
    /// The fields that its results have in common.
    let series = currentDate()
    /// Factor on all numbers of messages.
    var scale = 1.0
    var countsInstructions = false
    /// Where each result is appended as a line; nil for nowhere.
    var outputFile: String?

    /// - Throws: when the server does not start, or everything fails.
    func run(_ workload: Workload, _ target: any Target, round: Int) throws -> LoadResult {
        do {
            let result = try measure(workload, target, round: round)
            if let outputFile { try ResultFile.append(result, to: outputFile) }
            return result
        } catch {
            workspace.isKept = true
            throw ServerError(
                "\(target.name), \(workload.name): \(error) (logs: \(workspace.folder))")
        }
    }

    private func measure(
        _ workload: Workload, _ target: any Target, round: Int
    ) throws -> LoadResult {
        let server = try target.start(workspace)
        defer { server.stop() }
        let plan = workload.plan(against: server, share: scale * target.shareOfMessages)
        if workload.isIdle { try warmUp(plan) }
        let title = "\(target.name) \(workload.name)" + (round > 0 ? " round \(round)" : "")
        let session = try LoadSession(
            plan: plan, meter: server.meter(countsInstructions: countsInstructions),
            progress: Progress(title: title), isIdle: workload.isIdle,
            settles: server.settles && !workload.isIdle)
        let result = try session.result(
            target: target.name, workload: workload.name, series: series, round: round)
        if result.messages == 0 && !workload.isIdle {
            throw ServerError("nothing was accepted: \(result.failures)")
        }
        return result
    }

    /// A few connections first, so that one-time allocations are not counted.
    private func warmUp(_ plan: LoadPlan) throws {
        var plan = plan
        plan.company.idle = 20
        _ = try LoadSession(plan: plan, meter: nil, isIdle: true)
            .result(target: "", workload: "warm-up")
    }
}
