package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// cpuTime is the processor time that the store has used so far, or the ceiling; zero where the
// system does not tell. It is steadier than a rate when others use the machine, too.
func (s *store) cpuTime() (used, ceiling time.Duration) {
	for i, p := range s.processes {
		if t := cpuTimeOf(p.Process.Pid); i < nodes {
			used += t
		} else {
			ceiling += t
		}
	}
	return used, ceiling
}

// cpuTimeOf reads the fields utime and stime of /proc/PID/stat (Linux).
func cpuTimeOf(pid int) time.Duration {
	const tick = 10 * time.Millisecond // on every platform of Go
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(text), ") ") // the name of the program may contain spaces
	fields := strings.Fields(rest)
	if !found || len(fields) < 13 {
		return 0
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * tick
}
