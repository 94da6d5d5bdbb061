package kvsim

import "github.com/sequitur-kv/sequitur/core"

// ProbeCrashUnsynced is the situation that only the world can see: a process died with changes
// applied that its disk then lost.
const ProbeCrashUnsynced = "crash.with_unsynced_applied"

// ProbeTailKept is another: the disk of a process that died had more than the process knew to be durable.
const ProbeTailKept = "crash.with_more_than_known"

// ProbeBetrayed is a third: the disk of the process before had called durable what it then lost.
const ProbeBetrayed = "crash.betrayed"

// promisesOfStandard are the situations that some hundred seeds of the standard scenario reach.
func promisesOfStandard() []string {
	probes := []core.Probe{
		ProbeCrashUnsynced,
		core.ProbeForwardDuplicate,
		core.ProbeReplyUnexpected,
		core.ProbeForwardRetried,
		core.ProbeForwardUnknown,
		core.ProbeForwardWaiting,
		core.ProbeShardDown,
		core.ProbeParked,
		core.ProbeParkedTwice,
		core.ProbeUnsatisfied,
		core.ProbeOverloaded,
		core.ProbeProxied,
		core.ProbeProxyUncovered,
		core.ProbeStreamGap,
		core.ProbeStreamRepeated,
		core.ProbeStreamHeld,
		core.ProbeStreamOverflow,
		core.ProbePullOverwritten,
		core.ProbePullOtherSource,
		core.ProbeInstallCovered,
		core.ProbeInstallOvertaken,
		core.ProbeClockFloor,
		core.ProbeConcurrentResolved,
		core.ProbePeerDown,
		core.ProbePeerReturned,
	}
	return probeNames(probes)
}

// situationsToMeet are those that faults wait for: an exchange between nodes has begun and is not over, or
// something was lost just now.
func situationsToMeet() []string {
	return probeNames([]core.Probe{
		ProbeCrashUnsynced,
		core.ProbeForwardWaiting,
		core.ProbeForwardRetried,
		core.ProbeReplyUnexpected,
		core.ProbeParked,
		core.ProbeProxied,
		core.ProbeStreamGap,
		core.ProbeStreamHeld,
		core.ProbePullOverwritten,
		core.ProbePullRestarted,
		core.ProbePullOtherSource,
		core.ProbeInstallOvertaken,
		core.ProbePeerReturned,
	})
}

func probeNames(probes []core.Probe) []string {
	names := make([]string, len(probes))
	for i, p := range probes {
		names[i] = string(p)
	}
	return names
}

// promisesOfMembership are the situations that some hundred seeds of the membership scenario reach.
func promisesOfMembership() []string {
	names := []string{
		ProbeReshardStarted, ProbeReshardSwitched, ProbeReshardAborted, ProbeReshardPending, ProbeMemberJoined, ProbeMemberLeft,
		ProbeLearns, ProbeServes, ProbeRetired, ProbeKilled, ProbeKilledSealed, ProbeRoundComplete, ProbeFinalBelow,
	}
	for _, p := range []core.Probe{
		core.ProbeTokenNewer, core.ProbeForwardMoved, core.ProbeSlotsDropped, core.ProbeStreamEnded,
		core.ProbeConfigurationHanded, core.ProbeJoined, core.ProbeExcluded, core.ProbeStartedOver, core.ProbeNoMajority,
		core.ProbeAdministrationUnknown, core.ProbeReshardGivenUp,
	} {
		names = append(names, string(p))
	}
	return names
}
