// Package kvsim joins the core of the store to the simulated world of netsim: nodes, client
// sessions, faults, invariants that are judged after every event, and the verdict of the checker on
// what the sessions saw.
//
// A run is a pure function of (scenario, seed). Reading order: scenario.go says what happens,
// server.go and client.go are the nodes of the world, ghost.go is what only the harness knows,
// invariants.go and promises.go are what must hold, runner.go ties them together, sweep.go runs
// many seeds.
package kvsim
