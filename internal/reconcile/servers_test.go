package reconcile

import (
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// servers are Servers that only remember, beside what is done to the host.
type servers struct {
	r        *rig
	problems map[string][]string
	sets     atomic.Int64
	serve    []string // networks
}

func (s *servers) Farewell(want []plan.Service) {
	s.r.journal = append(s.r.journal, "farewell to all but "+strings.Join(networks(want), " "))
}

func (s *servers) Set(want []plan.Service, _ plan.State) map[string][]string {
	s.sets.Add(1)
	s.serve = networks(want)
	s.r.journal = append(s.r.journal, "serve "+strings.Join(s.serve, " "))
	return s.problems
}

func (s *servers) Update(want plan.Service) []string {
	s.r.journal = append(s.r.journal, "update "+want.Network)
	return s.problems[want.Owner()]
}

func networks(list []plan.Service) (names []string) {
	for _, s := range list {
		names = append(names, s.Network)
	}
	return names
}

// serving gives a rig servers and makes a pass.
func serving(t *testing.T, r *rig) *servers {
	t.Helper()
	s := &servers{r: r}
	r.change(t, func() { r.o.Servers = s })
	r.sync(t)
	return s
}

func (r *rig) sync(t *testing.T) Report {
	t.Helper()
	rep, err := r.Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func (r *rig) preview(t *testing.T) Report {
	t.Helper()
	rep, err := r.Preview(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestGuestsAreToldBeforeTheirBridgeGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := serving(t, r)
		if !slices.Equal(s.serve, []string{"lab"}) {
			t.Fatalf("serves %q", s.serve)
		}
		r.change(t, func() { r.live, r.journal = &spec.Spec{}, nil })
		r.sync(t)
		place := func(what string) int {
			return slices.IndexFunc(r.journal, func(line string) bool { return strings.HasPrefix(line, what) })
		}
		farewell, gone, served := place("farewell to all but"), place("del link lab"), place("serve")
		if farewell < 0 || gone < farewell || served < gone {
			t.Errorf("in this order:\n%s", strings.Join(r.journal, "\n"))
		}
	})
}

func TestPreviewTellsHowServiceChangesAndChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := serving(t, r)
		r.change(t, func() {
			n := *r.live.Networks["lab"]
			n.DNS = &spec.DNS{TTL: 5}
			r.live = &spec.Spec{Networks: map[string]*spec.Network{"lab": &n}}
		})
		sets := s.sets.Load()
		for range 2 {
			rep := r.preview(t)
			if lines := strings.Join(rep.Serves(), "\n"); len(rep.Ops) != 0 || strings.Count(lines, "\n") != 1 || !strings.Contains(lines, "ttl 5s") {
				t.Errorf("ops %v, service %q", plan.Lines(rep.Ops), lines)
			}
		}
		if s.sets.Load() != sets {
			t.Error("a preview served")
		}
		if rep := r.sync(t); len(rep.Serves()) != 2 {
			t.Errorf("done: %q", rep.Serves())
		}
		if rep := r.preview(t); len(rep.Serves()) != 0 {
			t.Errorf("still to do: %q", rep.Serves())
		}
	})
}

// What cannot be served is told, each reason by itself, and tried again and again.
func TestWhatCannotBeServedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := serving(t, r)
		r.change(t, func() { s.problems = map[string][]string{"network/lab": {"port 53 is taken\nport 67 is taken"}} })
		rep := r.sync(t)
		if got := rep.Problems["network/lab"]; !rep.Degraded || rep.Failed || !slices.Equal(got, []string{"port 53 is taken", "port 67 is taken"}) {
			t.Errorf("degraded %v, failed %v, problems %q", rep.Degraded, rep.Failed, got)
		}
		sets := s.sets.Load()
		time.Sleep(10 * time.Second)
		if n := s.sets.Load() - sets; n < 3 || n > 6 { // after 1, 2, 4 … seconds
			t.Errorf("tried %d times in ten seconds", n)
		}
		r.change(t, func() { s.problems = nil })
		if rep := r.sync(t); rep.Degraded || len(rep.Problems) != 0 {
			t.Errorf("problems are %q", rep.Problems)
		}
	})
}

// A network whose bridge has another owner now goes on with what its guests have;
// one that never had its bridge is not served on a stranger's.
func TestNetworkThatWaitsForItsBridgeKeepsItsService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		s := serving(t, r)
		r.change(t, func() {
			r.host.state.Add(plan.Link{Name: "other", Type: "bridge"}, plan.Link{Name: "new", Type: "bridge"})
			lab := *r.live.Networks["lab"]
			lab.Bridge.Name = "other"
			lab.DNS = &spec.DNS{TTL: 5}
			r.live = &spec.Spec{Networks: map[string]*spec.Network{"lab": &lab, "new": {Mode: spec.NAT, Bridge: spec.BridgeSettings{Name: "new"},
				Subnets: []spec.Subnet{{Address: netip.MustParsePrefix("10.3.0.1/24")}}}}}
		})
		rep := r.sync(t)
		if !rep.Blocked("network/lab") || !slices.Equal(s.serve, []string{"lab"}) || rep.Services[0].Bridge != "lab" {
			t.Errorf("problems %q, serves %q", rep.Problems, s.serve)
		}
	})
}
