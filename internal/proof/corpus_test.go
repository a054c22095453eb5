package proof

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// refusedHere are networks that libvirt takes and kvmnet does not: the host's address
// on them is that of the network itself.
var refusedHere = []string{"043.xml", "123.xml"}

// TestPublishedNetworksKeepTheirPromises starts networks as people have them, each
// alone, and has verify prove with packets what every eighth of them promises.
func TestPublishedNetworksKeepTheirPromises(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("../../../shared/corpus/networks/*.xml")
	if len(files) == 0 {
		t.Skip("the corpus of networks is not beside the checkout")
	}
	w := newWorld(t, "")
	before, started, proved := strings.Join(w.Drift(), "\n"), 0, 0
	for _, path := range files {
		n := w.published(path)
		if n.Spec == nil || !n.Spec.Mode.Managed() {
			continue
		}
		if err := w.Client.Start(t.Context(), n.Name); err != nil {
			t.Errorf("%s: %v", filepath.Base(path), err)
			continue
		}
		if started++; started%8 == 1 && n.Spec.Uplink == "" {
			proved += w.promised(n.Name)
		}
		w.fine(w.Client.Stop(t.Context(), n.Name))
		w.fine(w.Client.Undefine(t.Context(), n.Name))
	}
	if started < len(files)/2 || proved < 50 {
		t.Errorf("%d of %d networks started, %d promises proved", started, len(files), proved)
	}
	w.Settled()
	if after := strings.Join(w.Drift(), "\n"); after != before {
		t.Errorf("left behind: %s", after)
	}
	t.Logf("%d of %d networks started, %d promises proved", started, len(files), proved)
}

// published defines the network of a file; what libvirt refuses has no spec, and a
// network of the LAN is forgotten again.
func (w *world) published(path string) api.Network {
	w.t.Helper()
	text, err := os.ReadFile(path)
	w.fine(err)
	d, err := w.Client.Define(w.t.Context(), api.DefineRequest{File: api.File{Name: filepath.Base(path), Text: string(text)}})
	if err != nil {
		var e *api.Error
		if (!errors.As(err, &e) || e.Reason != api.ReasonXML) && !slices.Contains(refusedHere, filepath.Base(path)) {
			w.t.Errorf("%s: %v", filepath.Base(path), err)
		}
		return api.Network{}
	}
	if d.Spec.Mode == spec.Bridge {
		w.fine(w.Client.Undefine(w.t.Context(), d.Name))
	}
	return d.Network
}

// promised proves a network's promises, and returns how many.
func (w *world) promised(network string) (proved int) {
	w.t.Helper()
	err := w.Client.Verify(w.t.Context(), api.VerifyRequest{Networks: []string{network}}, func(c api.Check) {
		switch {
		case !c.OK:
			w.t.Errorf("%s: %s: %s: %s", c.Network, c.Promise, c.Expected, c.Seen)
		case !strings.HasPrefix(c.Seen, "not checked:"):
			proved++
		}
	})
	w.fine(err)
	return proved
}

func (w *world) fine(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}
