package manage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// TestManyAtOnce lets people add, change and delete networks and ports, in YAML and
// in XML, while others look. Whatever came first, at the end the store is sound and the host as
// the store says.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(lab + "bridges: {br0: {}}\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var listening, working sync.WaitGroup
	for range 2 {
		listening.Go(func() { r.Events(ctx, func(api.Event) {}) })
	}
	const rounds = 8
	for worker := range 3 {
		own, od := fmt.Sprintf("own%d", worker), fmt.Sprintf("od%d", worker)
		working.Go(func() {
			for i := range rounds {
				_, err := r.AddNetwork(ctx, api.AddNetwork{Name: own, Network: &spec.Network{Mode: spec.NAT}, Choose: true, Start: true})
				r.mustly(err)
				_, err = r.AddPort(ctx, api.AddPort{Port: &spec.Port{Network: own}, Transient: i%2 == 0})
				r.mustly(err)
				r.mustly(r.SetAutostart(ctx, own, i%2 == 0))
				r.mustly(r.Undefine(ctx, own))
				r.mustly(r.Stop(ctx, own))
			}
		})
		working.Go(func() {
			for i := range rounds {
				_, err := r.try(false, fmt.Sprintf("networks: {lab: {mode: nat, title: 'by %d', subnets: [{address: 10.2.0.1/24}]}, %s: {mode: isolated, onDemand: true}}", i, od),
					fmt.Sprintf("ports: {p%d: {network: %s}}", worker, od))
				r.mustly(err)
				r.mustly(r.Delete(ctx, "port", fmt.Sprintf("p%d", worker)))
				err = r.Delete(ctx, "port", own+"-1") // perhaps somebody's, perhaps there
				var e *api.Error
				if err != nil && (!errors.As(err, &e) || e.Code != api.CodeNotFound) {
					t.Error(err)
				}
			}
		})
	}
	working.Go(func() {
		for i := range rounds {
			_, err := r.defineXML(xmlOf("virt", "<ip address='10.99.0.1' prefix='24'/>"), i%2 == 0)
			r.mustly(err)
			_, err = r.UpdateNetwork(ctx, "virt", api.NetworkUpdate{Command: "add", Section: "dns-txt", Parent: -1, XML: "<txt name='a' value='b'/>"})
			r.mustly(err)
			r.mustly(r.SetMetadata(ctx, "virt", api.MetadataChange{URI: "urn:x", Key: "k", XML: text("<a/>")}))
			_, err = r.NetworkXML(ctx, "virt", false)
			r.mustly(err)
			if i%2 == 0 {
				r.mustly(r.Stop(ctx, "virt"))
			} else {
				r.mustly(r.Undefine(ctx, "virt"))
			}
		}
	})
	working.Go(func() {
		for range rounds {
			for _, look := range []func() error{
				func() error { _, err := r.Networks(ctx); return err }, func() error { _, err := r.Ports(ctx); return err },
				func() error { _, err := r.Status(ctx); return err }, func() error { _, err := r.Drift(ctx); return err },
				func() error { _, err := r.Export(ctx, "", ""); return err }, func() error { _, err := r.try(true, lab); return err },
			} {
				r.mustly(look())
			}
		}
	})
	working.Wait()
	cancel()
	listening.Wait()
	r.settled()
	r.sound()
}

// mustly is ok for goroutines, which must not end the test.
func (r *rig) mustly(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Error(err)
	}
}

// sound checks that on-demand networks run when they have a port, and that the
// host has the links of what is live, and no more.
func (r *rig) sound() {
	r.t.Helper()
	w, err := r.world()
	r.ok(err)
	used := map[string]bool{}
	want := map[string]bool{}
	live := w.live()
	for _, p := range live.Ports {
		used[p.Network], want[p.Interface] = true, true
	}
	for name, n := range live.Networks {
		want[n.Bridge.Name] = true
		if n.OnDemand && !used[name] {
			r.t.Errorf("network %s runs without a port", name)
		}
	}
	for name := range live.Bridges {
		want[name] = true
	}
	r.host.mu.Lock()
	defer r.host.mu.Unlock()
	for l := range plan.Of[plan.Link](r.host.state.Owned()) {
		if !want[l.Name] {
			r.t.Errorf("left: %s", l)
		}
		delete(want, l.Name)
	}
	if len(want) > 0 {
		r.t.Errorf("missing: %v", want)
	}
}
