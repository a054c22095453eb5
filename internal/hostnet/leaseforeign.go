package hostnet

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/netns"
)

// dhcpClients are programs that ask for addresses, by the names the kernel has of them.
// Network managers with a client inside are not among them: they have the interface, or
// do not.
var dhcpClients = []string{"dhclient", "dhcpcd", "udhcpc", "pump", "dhcp6c", "wickedd-dhcp4", "connmand", "busybox"}

// process is a program that runs.
type process struct {
	pid  int
	name string
}

// foreignClient finds a DHCP client of somebody else that works on an interface: one
// that is told its name, or that listens to its packets. procfs is where processes are,
// "/proc" but in tests.
func foreignClient(ns *netns.NS, procfs, name string) (*process, error) {
	index, err := indexOf(ns, name)
	if err != nil {
		return nil, err
	}
	id, err := ns.ID()
	if err != nil {
		return nil, err
	}
	listening, err := packetSockets(ns, index)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(procfs)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := filepath.Join(procfs, e.Name())
		if program := clientIn(dir); program != "" && inNamespace(dir, id) && (isTold(dir, name) || listens(dir, listening)) {
			return &process{pid, program}, nil
		}
	}
	return nil, nil
}

// clientIn is the DHCP client that a process is, "" = none. A busybox has the name of
// what it does, or is told it.
func clientIn(dir string) string {
	comm, _ := os.ReadFile(filepath.Join(dir, "comm"))
	program := strings.TrimSpace(string(comm))
	if !slices.Contains(dhcpClients, program) {
		return ""
	}
	if program == "busybox" {
		if !slices.Contains(arguments(dir), "udhcpc") {
			return ""
		}
		return "udhcpc"
	}
	return program
}

func arguments(dir string) (list []string) {
	text, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
	for word := range bytes.SplitSeq(text, []byte{0}) {
		list = append(list, string(word))
	}
	return list
}

// isTold reports whether the name of an interface is among the arguments. dhcpcd writes
// what it does there as one: "dhcpcd: eth0 [ip4]".
func isTold(dir, name string) bool {
	return slices.ContainsFunc(arguments(dir), func(word string) bool {
		return word == name || word == "-i"+name || slices.Contains(strings.Fields(word), name)
	})
}

func inNamespace(dir string, id uint64) bool {
	link, err := os.Readlink(filepath.Join(dir, "ns/net"))
	return err == nil && link == fmt.Sprintf("net:[%d]", id)
}

// listens reports whether a process has one of some sockets.
func listens(dir string, sockets map[string]bool) bool {
	fds, _ := filepath.Glob(filepath.Join(dir, "fd/*"))
	return slices.ContainsFunc(fds, func(fd string) bool {
		link, err := os.Readlink(fd)
		return err == nil && sockets[link]
	})
}

// packetSockets are the packet(7) sockets on an interface, as links of /proc/PID/fd name
// them.
func packetSockets(ns *netns.NS, index int) (map[string]bool, error) {
	var text []byte
	err := ns.Do(func() (err error) { text, err = os.ReadFile("/proc/thread-self/net/packet"); return err })
	all := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line) // sk RefCnt Type Proto Iface R Rmem User Inode
		if len(f) >= 9 && f[4] == strconv.Itoa(index) {
			all["socket:["+f[8]+"]"] = true
		}
	}
	return all, err
}
