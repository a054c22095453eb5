package resolved

import (
	"errors"
	"fmt"
	"os"

	"kvmnet/internal/netns"
)

// errElsewhere is that links have other numbers there.
var errElsewhere = errors.New("serves another network namespace")

// sameNetwork returns nil if a process is in the network namespace of the links;
// nil is the namespace of this process.
//
// The link /proc/PID/ns/net would tell, but may be read only with the right to
// trace the process (proc(5), PTRACE_MODE_READ_FSCREDS), which the daemon gives
// up. The files below /proc/PID/net are open to everybody, and each namespace
// has files of its own: the same inode is the same namespace.
func sameNetwork(ns *netns.NS, pid int) error {
	theirs, err := os.Stat(fmt.Sprintf("/proc/%d/net/dev", pid))
	if err != nil {
		return fmt.Errorf("find the network namespace of systemd-resolved: %w", err)
	}
	ours, err := networkFile(ns)
	if err != nil {
		return fmt.Errorf("find the network namespace of the links: %w", err)
	}
	if !os.SameFile(ours, theirs) {
		return fmt.Errorf("systemd-resolved (process %d) %w: start one in this one", pid, errElsewhere)
	}
	return nil
}

func networkFile(ns *netns.NS) (info os.FileInfo, err error) {
	if ns == nil {
		return os.Stat("/proc/self/net/dev")
	}
	err = ns.Do(func() error {
		info, err = os.Stat("/proc/thread-self/net/dev")
		return err
	})
	return info, err
}
