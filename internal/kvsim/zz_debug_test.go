package kvsim

import (
	"fmt"
	"os"
	"testing"
)

func TestZZDebug(t *testing.T) {
	path := os.Getenv("ZZ")
	if path == "" {
		t.Skip()
	}
	data, _ := os.ReadFile(path)
	c, err := ParseCapsule(string(data))
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Load()
	if err != nil {
		t.Fatal(err)
	}
	runner := NewRunner(s)
	result := runner.RunWith(c.Seed, c.Options())
	fmt.Println(result.Failure)
	for i, server := range runner.run.servers {
		if server == nil {
			continue
		}
		m := server.machine
		conf := m.Configuration()
		fmt.Println(runner.run.names[i], m.Life(), m.Obstacle(), m.Have(), fmt.Sprintf("%+v", m.Figures()))
		if conf == nil {
			continue
		}
		fmt.Printf("  epoch %d index %d reshard %+v\n", conf.Epoch, conf.Index, conf.Reshard)
		if i > 1 {
			continue
		}
		for _, mm := range conf.Members {
			fmt.Printf("   %s %s leaving %v unseated %v\n", mm.Address, mm.Life, mm.Leaving, mm.Unseated)
		}
		for _, a := range conf.Assignments {
			fmt.Printf("   rid %d life %s shard %d stage %d dead %v fixed %v born %d since %d round %d claimed %d finals %d slots %d\n", a.Replica, a.Life, a.Shard, a.Stage, a.Dead, a.Fixed, a.Born, a.Since, a.Round, a.Claimed, len(a.Finals), a.Slots.Len())
		}
		for _, r := range conf.Reports {
			fmt.Printf("   report %s epoch %d have %v\n", r.Life, r.Epoch, r.Have)
		}
	}
}
