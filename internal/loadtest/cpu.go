package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// cpuTime is the processor time that the nodes have used so far; zero where the system does not tell.
// It is steadier than a rate when others use the machine, too.
func (s *store) cpuTime() (used time.Duration) {
	for _, p := range s.nodes {
		used += cpuTimeOf(p.Process.Pid)
	}
	return used
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

// memory is what nodes have in use.
type memory struct{ least, most, peak int64 } // bytes; of the one that has least, has most, ever had most

func (m memory) String() string {
	if m.most == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%d to %d MB, at most %d MB", m.least>>20, m.most>>20, m.peak>>20)
}

// memory is zero where the system does not tell.
func (s *store) memory() (m memory) {
	for i, p := range s.nodes {
		now, peak := memoryOf(p.Process.Pid)
		if m.most, m.peak = max(m.most, now), max(m.peak, peak); i == 0 || now < m.least {
			m.least = now
		}
	}
	return m
}

// memoryOf reads the fields VmRSS and VmHWM of /proc/PID/status (Linux).
func memoryOf(pid int) (now, peak int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		n, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			now = n << 10
		case "VmHWM:":
			peak = n << 10
		}
	}
	return now, peak
}
