package daemon_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
)

// classic is the qemu-ifup that people have, as it was published a hundred times: with
// and without a pause for the bridge to forward.
const classic = "#!/bin/sh\nbrctl addif br0 $1\nifconfig $1 0.0.0.0 up\n%s\n"

// BenchmarkQemuIfup plugs in taps that a VMM made, by whole processes: kvmnet
// qemu-ifup, and the classic script in its versions.
func BenchmarkQemuIfup(b *testing.B) {
	m, old := benchMachine(b), nstest.NS(b)
	m.Apply("networks:\n  lab: {mode: nat, subnets: [{address: 10.200.0.1/24, dhcp: {}}]}\n")
	m.Settled()
	nstest.Run(b, old, "brctl", "addbr", "br0")
	nstest.Run(b, old, "ip", "link", "set", "br0", "up")
	dir := b.TempDir()
	kvmnet := filepath.Join(dir, "kvmnet")
	if out, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", kvmnet, "kvmnet/cmd/kvmnet").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	try(b, os.Setenv("KVMNET_NETWORK", "lab"))
	b.Cleanup(func() { os.Unsetenv("KVMNET_NETWORK") })
	script := func(tap, pause string) time.Duration {
		path := filepath.Join(dir, "qemu-ifup"+pause)
		try(b, os.WriteFile(path, fmt.Appendf(nil, classic, pause), 0o755))
		defer nstest.Run(b, old, "ip", "link", "del", tap)
		return plugging(b, old, tap, path, tap)
	}
	var ours, theirs []time.Duration
	n := 0
	for b.Loop() {
		n++
		tap := fmt.Sprintf("q%d", n)
		ours = append(ours, plugging(b, m.NS, tap, kvmnet, "--socket", filepath.Join(m.Dir, "sock"), "qemu-ifup", tap))
		theirs = append(theirs, script(tap, ""))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(daemontest.MS(daemontest.Median(ours)), "ms/qemu-ifup")
	b.ReportMetric(daemontest.MS(daemontest.Median(theirs)), "ms/script")
	b.ReportMetric(float64(daemontest.Median(ours))/float64(daemontest.Median(theirs)), "x-script")
	// After a second of nothing every process starts slowly: not between the others.
	for pause, unit := range map[string]string{"sleep 0.5": "script-sleeping-0.5s", "sleep 1": "script-sleeping-1s"} {
		b.ReportMetric(daemontest.MS(script("slow", pause)), "ms/"+unit)
	}
}

// plugging makes a tap and times a process that plugs it in.
func plugging(b *testing.B, ns *netns.NS, tap string, name string, args ...string) time.Duration {
	b.Helper()
	try(b, ns.Do(func() error { return persistentTap(tap) }))
	cmd := exec.Command(name, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	try(b, ns.Do(cmd.Start))
	if err := cmd.Wait(); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, out.String())
	}
	took := time.Since(begin)
	if link := nstest.Run(b, ns, "ip", "link", "show", tap); !strings.Contains(link, " master ") {
		b.Fatalf("%s did not plug the tap in: %s", name, link)
	}
	return took
}
