package core

// Probe names a rare situation that the machine met: evidence of what a run has covered.
type Probe string

// The probes of the data plane.
const (
	ProbeBadMAC             Probe = "token.bad_mac"
	ProbeFormLifeChanged    Probe = "form.life_changed_after_pledge"
	ProbeForwardDuplicate   Probe = "forward.duplicate_rejected"
	ProbeForwardTooOld      Probe = "forward.counter_too_old"
	ProbeReplyEarlierLife   Probe = "forward.reply_to_earlier_life"
	ProbeReplyUnexpected    Probe = "forward.reply_unexpected"
	ProbeForwardRetried     Probe = "forward.read_tried_elsewhere"
	ProbeForwardUnknown     Probe = "forward.outcome_unknown"
	ProbeForwardWaiting     Probe = "forward.waiting_notice"
	ProbeShardDown          Probe = "forward.shard_down"
	ProbeParked             Probe = "wait.parked"
	ProbeParkedTwice        Probe = "wait.parked_for_another_dot"
	ProbeUnsatisfied        Probe = "wait.unsatisfied"
	ProbeOverloaded         Probe = "wait.overloaded"
	ProbeProxied            Probe = "read.proxied"
	ProbeProxyUncovered     Probe = "read.proxy_uncovered"
	ProbeStreamGap          Probe = "stream.gap"
	ProbeStreamRepeated     Probe = "stream.repeated"
	ProbeStreamHeld         Probe = "stream.held_for_context"
	ProbeStreamOverflow     Probe = "stream.buffer_full"
	ProbeSlotSet            Probe = "repl.slotset_mismatch"
	ProbePullOverwritten    Probe = "pull.overwritten_dependency"
	ProbePullRestarted      Probe = "pull.source_restarted"
	ProbePullOtherSource    Probe = "import.source_changed"
	ProbeInstallCovered     Probe = "install.skipped_covered"
	ProbeInstallOvertaken   Probe = "install.version_beyond_vector"
	ProbeClockFloor         Probe = "hlc.floor_above_wall"
	ProbeConcurrentResolved Probe = "lww.concurrent_loser_dropped"
	ProbeForeignMessage     Probe = "message.foreign_or_stale"
	ProbePeerDown           Probe = "view.peer_down"
	ProbePeerReturned       Probe = "view.peer_returned"
	ProbeRollback           Probe = "rid.rollback_detected"
	ProbeImportSuperseded   Probe = "restore.newer_version_kept"
	ProbeImportFailed       Probe = "restore.tried_again"
)

// The probes of the configuration: who belongs to the store, and who owns what.
const (
	ProbeTokenNewer            Probe = "token.newer_epoch"
	ProbeForwardMoved          Probe = "forward.moved"
	ProbeSlotsDropped          Probe = "slot.dropped"
	ProbeStreamEnded           Probe = "stream.ended"
	ProbeStartedEmpty          Probe = "slot.started_from_what_is_left"
	ProbeConfigurationHanded   Probe = "configuration.handed"
	ProbeJoined                Probe = "view.joined"
	ProbeExcluded              Probe = "view.deleted_node_knows"
	ProbeStartedOver           Probe = "view.started_over"
	ProbeElsewhere             Probe = "view.belongs_to_another_store"
	ProbeNoMajority            Probe = "administration.no_majority"
	ProbeAdministrationUnknown Probe = "administration.outcome_unknown"
	ProbeProposedByPeer        Probe = "log.proposed_by_peer"
	ProbeReshardGivenUp        Probe = "reshard.given_up"
	ProbeLeaverSilent          Probe = "view.leaver_silent"
	ProbeTokenNewerAtOwner     Probe = "token.newer_epoch_at_old_owner"
	ProbeUnawareOwner          Probe = "write.after_switch_by_unaware_owner"
	ProbeEndedLife             Probe = "message.of_ended_life"
	ProbeHeldDropped           Probe = "stream.held_writes_dropped"
	ProbeCopyVoided            Probe = "copy.voided_by_epoch"
	ProbeFinalRaised           Probe = "rid.final_raised_by_late_sibling"
	ProbeAmnesiacVoter         Probe = "raft.amnesiac_voter"
)

// The probes of a disk without room.
const (
	ProbeFull          Probe = "disk.full"
	ProbeFullRefused   Probe = "disk.full_refused"
	ProbeFullAvoided   Probe = "disk.full_avoided"
	ProbeFullForwarded Probe = "disk.full_forwarded"
)

// Probes are all of the above, in that order, in a slice of the caller's own: so that figures can
// show a situation that was never met as well.
func Probes() []Probe {
	return []Probe{
		ProbeBadMAC, ProbeFormLifeChanged, ProbeForwardDuplicate,
		ProbeForwardTooOld, ProbeReplyEarlierLife, ProbeReplyUnexpected, ProbeForwardRetried,
		ProbeForwardUnknown, ProbeForwardWaiting, ProbeShardDown, ProbeParked, ProbeParkedTwice,
		ProbeUnsatisfied, ProbeOverloaded, ProbeProxied, ProbeProxyUncovered, ProbeStreamGap,
		ProbeStreamRepeated, ProbeStreamHeld, ProbeStreamOverflow, ProbeSlotSet, ProbePullOverwritten,
		ProbePullRestarted, ProbePullOtherSource, ProbeInstallCovered, ProbeInstallOvertaken,
		ProbeClockFloor, ProbeConcurrentResolved, ProbeForeignMessage, ProbePeerDown, ProbePeerReturned,
		ProbeRollback, ProbeImportSuperseded, ProbeImportFailed,
		ProbeTokenNewer, ProbeForwardMoved, ProbeSlotsDropped, ProbeStreamEnded, ProbeStartedEmpty,
		ProbeConfigurationHanded, ProbeJoined, ProbeExcluded, ProbeStartedOver, ProbeElsewhere, ProbeNoMajority,
		ProbeAdministrationUnknown, ProbeProposedByPeer, ProbeReshardGivenUp, ProbeLeaverSilent,
		ProbeTokenNewerAtOwner, ProbeUnawareOwner,
		ProbeEndedLife, ProbeHeldDropped, ProbeCopyVoided, ProbeFinalRaised, ProbeAmnesiacVoter,
		ProbeFull, ProbeFullRefused, ProbeFullAvoided, ProbeFullForwarded,
	}
}
