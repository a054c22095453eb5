package conntrack

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"kvmnet/internal/nstest"
)

// BenchmarkList reads a table of many connections.
func BenchmarkList(b *testing.B) {
	const n = 20000
	ns := nstest.NS(b)
	conntrack, err := exec.LookPath("conntrack")
	if err != nil {
		b.Skip("needs conntrack: apt install conntrack")
	}
	var lines strings.Builder
	for i := range n {
		lines.WriteString("-I -p udp -s 10.0.0.1 -d 10.0.0.2 -t 600 --sport " + strconv.Itoa(1+i) + " --dport 53\n")
	}
	err = ns.Do(func() error {
		if err := os.WriteFile("/proc/sys/net/netfilter/nf_conntrack_acct", []byte("0"), 0o644); err != nil {
			return err
		}
		cmd := exec.Command(conntrack, "-R", "-")
		cmd.Stdin = strings.NewReader(lines.String())
		return cmd.Run()
	})
	if err != nil {
		b.Fatal(err)
	}
	c, err := Open(ns, "")
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if list, err := c.List(); err != nil || len(list) != n {
			b.Fatalf("%d flows, %v", len(list), err)
		}
	}
}
