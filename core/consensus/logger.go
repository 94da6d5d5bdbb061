package consensus

import "fmt"

// silent drops the library's log: a Log tells by its results what others should know. What the
// library calls fatal is a state that it cannot be in, and stops the machine.
type silent struct{}

func (silent) Debug(...any)            {}
func (silent) Debugf(string, ...any)   {}
func (silent) Info(...any)             {}
func (silent) Infof(string, ...any)    {}
func (silent) Warning(...any)          {}
func (silent) Warningf(string, ...any) {}
func (silent) Error(...any)            {}
func (silent) Errorf(string, ...any)   {}

func (silent) Fatal(v ...any)            { panic("raft: " + fmt.Sprint(v...)) }
func (silent) Fatalf(f string, v ...any) { panic("raft: " + fmt.Sprintf(f, v...)) }
func (silent) Panic(v ...any)            { panic("raft: " + fmt.Sprint(v...)) }
func (silent) Panicf(f string, v ...any) { panic("raft: " + fmt.Sprintf(f, v...)) }
