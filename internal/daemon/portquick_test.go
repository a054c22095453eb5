package daemon_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

const portsLab = `networks:
  lab: {mode: nat, isolated: true, subnets: [{address: 10.200.0.1/16, dhcp: {}}]}
  red: {mode: isolated, bridge: {name: red0}}
`

// portsMachine is a machine with portsLab, at rest.
func portsMachine(t *testing.T) *machine {
	nstest.Need(t)
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	m.Apply(portsLab)
	m.Settled()
	return m
}

// TestManyPortsComeAndGoWithoutDrift attaches and detaches from several sides at
// once, and finds nothing left to repair, and nothing repaired meanwhile.
func TestManyPortsComeAndGoWithoutDrift(t *testing.T) {
	m := portsMachine(t)
	var repaired repairs
	go m.Client.Events(t.Context(), repaired.hear)
	const sides, each = 4, 15
	var wg sync.WaitGroup
	for side := range sides {
		wg.Go(func() {
			for i := range each {
				name := fmt.Sprintf("s%dp%d", side, i)
				p, err := m.Client.AddPort(t.Context(), api.AddPort{Name: name, Transient: i%2 == 0, Port: &spec.Port{Network: []string{"lab", "red"}[i%2]}})
				if err != nil || p.Status.State != "up" {
					t.Errorf("port %s is %q, not up: %v", name, p.Status.State, err)
				}
				if i%5 != 0 {
					if err := m.Client.Delete(t.Context(), "port", name); err != nil {
						t.Errorf("delete port %s: %v", name, err)
					}
				}
			}
		})
	}
	wg.Wait()
	if ops := m.Drift(); len(ops) > 0 {
		t.Errorf("left to do:\n%s", strings.Join(ops, "\n"))
	}
	if list := repaired.undone(); len(list) > 0 {
		t.Errorf("the daemon undid or changed what it did itself:\n%s", strings.Join(list, "\n"))
	}
	ports, err := m.Client.Ports(t.Context())
	if err != nil || len(ports) != sides*each/5 {
		t.Errorf("%d ports, %v", len(ports), err)
	}
}

// repairs are what a daemon told that it repaired.
type repairs struct {
	mu   sync.Mutex
	list []string
}

func (r *repairs) hear(e api.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Type == "repaired" {
		r.list = append(r.list, e.Message)
	}
}

// undone are those that are no work of a verb: a look at the host that comes between a
// verb's writing and its own pass does that verb's work, each op once.
func (r *repairs) undone() (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	for _, op := range r.list {
		if strings.HasPrefix(op, "set ") || seen[op] {
			list = append(list, op)
		}
		seen[op] = true
	}
	return list
}

// TestDaemonKilledWhileAPortComesOrGoes kills it before each op of a port that is
// added and deleted. The next one finds the port there or not, and all as it says.
func TestDaemonKilledWhileAPortComesOrGoes(t *testing.T) {
	m := portsMachine(t)
	bare := nstest.Run(t, m.NS, "ip", "-o", "link")
	step := 2
	if *everyOp {
		step = 1
	}
	for kill, killed := 1, true; killed; kill += step {
		m.Stop()
		m.Start(kill)
		_, err := m.Client.AddPort(t.Context(), api.AddPort{Name: "vm1", Port: &spec.Port{Network: "lab"}})
		err = errors.Join(err, m.Client.Delete(t.Context(), "port", "vm1"))
		if killed = err != nil; !killed && kill < 8 {
			t.Errorf("the port comes and goes in %d ops", kill-1)
		}
		if killed {
			m.Wait()
			m.Start(0)
		}
		m.Settled()
		if _, err := m.Client.Export(t.Context(), "port", "vm1"); err == nil {
			if err := m.Client.Delete(t.Context(), "port", "vm1"); err != nil {
				t.Fatal(err)
			}
		}
		if now := nstest.Run(t, m.NS, "ip", "-o", "link"); names(now) != names(bare) {
			t.Errorf("killed before op %d: left are\n%s", kill, now)
		}
	}
}

// names are the links that ip lists.
func names(list string) string {
	var names []string
	for line := range strings.Lines(list) {
		names = append(names, strings.Fields(line)[1])
	}
	return strings.Join(names, " ")
}

// TestStrangersTapKeepsItsName has a tap of somebody else under a port's name, and
// then a tap of ours taken away by somebody, while ports come and go.
func TestStrangersTapKeepsItsName(t *testing.T) {
	m := portsMachine(t)
	nstest.Run(t, m.NS, "ip", "tuntap", "add", "vm1", "mode", "tap")
	_, err := m.Client.AddPort(t.Context(), api.AddPort{Name: "vm1", Port: &spec.Port{Network: "lab"}})
	if err == nil || !strings.Contains(err.Error(), "not kvmnet's") {
		t.Errorf("the stranger's tap: %v", err)
	}
	if link := nstest.Run(t, m.NS, "ip", "-d", "link", "show", "vm1"); strings.Contains(link, "master") {
		t.Errorf("the stranger's tap was touched: %s", link)
	}
	add := func(name string) {
		t.Helper()
		if _, err := m.Client.AddPort(t.Context(), api.AddPort{Name: name, Port: &spec.Port{Network: "lab"}}); err != nil {
			t.Fatal(err)
		}
	}
	add("vm2")
	nstest.Run(t, m.NS, "ip", "link", "del", "vm2")
	begin := time.Now()
	for i := 0; strings.Count(nstest.Run(t, m.NS, "ip", "-o", "link"), " vm2:") == 0; i++ {
		add(fmt.Sprintf("x%d", i))
		if time.Since(begin) > 30*time.Second {
			t.Fatal("ports that come hide that one went")
		}
	}
}
