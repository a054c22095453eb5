package netfiles

import (
	"os"
	"path/filepath"
)

// System asks the machine whose files are below a root.
type System struct {
	Root string // "" = /
}

// Running looks for a program in the network namespace of our own: a container may have
// a manager of its own. The kernel cuts names at 15 bytes (proc_pid_comm(5)).
func (s System) Running(program string) bool {
	proc := filepath.Join("/", s.Root, "proc")
	// Of the thread: another one of ours may be in another namespace at the moment.
	ours, _ := os.Readlink(filepath.Join(proc, "thread-self/ns/net"))
	found, _ := filepath.Glob(filepath.Join(proc, "[0-9]*/comm"))
	for _, p := range found {
		if line(p) != program[:min(15, len(program))] {
			continue
		}
		if of, err := os.Readlink(filepath.Join(filepath.Dir(p), "ns/net")); err == nil && of == ours {
			return true
		}
	}
	return false
}
