package lease

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// stormDir tells a child, which is this test binary again, where to storm.
const stormDir = "LEASE_STORM_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(stormDir); dir != "" {
		fmt.Fprintln(os.Stderr, storm(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// storm leases, renews and releases without an end. It writes a line before it
// tries something, and one when it is told that that is done.
func storm(dir string) error {
	b, err := Open(dir, Options{slack: 200})
	if err != nil {
		return err
	}
	t := b.Table("lab")
	var guests sync.WaitGroup
	failures := make(chan error, stormers)
	for n := range stormers {
		guests.Go(func() {
			var err error
			for err == nil {
				err = stormStep(t, vm(n+stormers*rand.IntN(25)))
			}
			failures <- err
		})
	}
	guests.Wait()
	return <-failures
}

// stormers storm at the same time, each as 25 guests of its own.
const stormers = 16

var stormRange = Want{Ranges: []plan.Range{{From: netip.MustParseAddr("10.0.0.0"), To: netip.MustParseAddr("10.0.1.255")}}, Hold: time.Second}

// stormStep is one exchange of a guest. What it says goes through os.Stdout
// without a buffer: what was written before a SIGKILL is in the pipe.
func stormStep(t *Table, c Client) error {
	done := make(chan error, 1)
	if l, found := t.Find(c); found && l.State == Bound && rand.IntN(4) == 0 {
		fmt.Fprintf(os.Stdout, "release %v %v\n", c.MAC, l.Addr)
		t.Release(c, l.Addr, said("released", c, l.Addr, done))
		return <-done
	}
	addr, err := t.Propose(c, stormRange)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "bind %v %v\n", c.MAC, addr)
	if _, err := t.Bind(c, addr, spec.Infinite, said("bound", c, addr, done)); err != nil {
		return err
	}
	return <-done
}

func said(verb string, c Client, addr netip.Addr, done chan<- error) func(error) {
	return func(err error) {
		if err == nil {
			fmt.Fprintf(os.Stdout, "%s %v %v\n", verb, c.MAC, addr)
		}
		done <- err
	}
}

// Killed a hundred times in the middle of things, the book has every lease that
// was acknowledged, and no address twice.
func TestKilledInAStorm(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dir := t.TempDir()
	known := map[string]guesses{}
	acknowledged := 0
	for kill := range 100 {
		acknowledged += stormAndKill(t, dir, known)
		compare(t, dir, known)
		if t.Failed() {
			t.Fatalf("after kill %d", kill)
		}
	}
	t.Logf("%d leases acknowledged", acknowledged)
	if acknowledged < 1000 {
		t.Errorf("only %d leases were acknowledged", acknowledged)
	}
}

// guesses are what a guest may have: the address that was acknowledged, or
// whatever was tried since. "" is none.
type guesses map[string]bool

func stormAndKill(t *testing.T, dir string, known map[string]guesses) (acknowledged int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), stormDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	last := rand.IntN(400) // the line at which it is killed
	for lines, n := bufio.NewScanner(out), 0; lines.Scan(); n++ {
		if n == last {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		acknowledged += learn(t, known, lines.Text())
	}
	if err := child.Wait(); err == nil || child.ProcessState.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
	return acknowledged
}

// learn takes a line of the child.
func learn(t *testing.T, known map[string]guesses, line string) int {
	var verb, mac, addr string
	if _, err := fmt.Sscan(line, &verb, &mac, &addr); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	if known[mac] == nil {
		known[mac] = guesses{"": true}
	}
	switch verb {
	case "release":
		known[mac][""] = true
	case "bind":
		known[mac][addr] = true
	case "released":
		known[mac] = guesses{"": true}
	case "bound":
		known[mac] = guesses{addr: true}
		return 1
	}
	return 0
}

// compare opens the book and compares.
func compare(t *testing.T, dir string, known map[string]guesses) {
	t.Helper()
	b, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	has, owner := map[string]string{}, map[netip.Addr]spec.MAC{}
	for _, l := range b.Table("lab").Leases() {
		if other, twice := owner[l.Addr]; twice {
			t.Errorf("%v is given to %v and %v", l.Addr, other, l.MAC)
		}
		owner[l.Addr], has[l.MAC.String()] = l.MAC, l.Addr.String()
	}
	for mac, may := range known {
		if !may[has[mac]] {
			t.Errorf("%s has %q, and may have %v", mac, has[mac], may)
		}
		known[mac] = guesses{has[mac]: true} // the next child begins from here
	}
}
