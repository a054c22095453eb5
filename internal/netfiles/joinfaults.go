package netfiles

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// faults gathers what keeps a NIC from being a port of a bridge, all of it at once.
type faults struct {
	Conversion
	lines []string
}

// add tells one, with its way out.
func (f *faults) add(format string, args ...any) {
	line := fmt.Sprintf("make %s a port of %s: ", f.NIC, f.Bridge) + fmt.Sprintf(format, args...)
	if !slices.Contains(f.lines, line) {
		f.lines = append(f.lines, line)
	}
}

// contradict tells that two places cannot both hold.
func (f *faults) contradict(what, bridge, nic string) {
	f.add("%s: %s, of %s, and %s, of %s, contradict each other: change one of them", what, bridge, f.Bridge, nic, f.NIC)
}

// noBridge tells that the bridge's name is another interface's.
func (f *faults) noBridge(at string) {
	f.add("%s defines %s as something that is no bridge: choose another with --name", at, f.Bridge)
}

// portOf tells that the NIC is one already, of this bridge or of another.
func (f *faults) portOf(at, of string) {
	if of == f.Bridge {
		f.add("%s has it as a port already: have the manager bring it up", at)
		return
	}
	f.add("%s makes it a port of %s: convert that one", at, of)
}

// tooLong tells that the bridge may send what its port cannot: where nothing is said of the
// NIC its MTU is what it has now. A smaller one the bridge may have.
func (f *faults) tooLong(bridge, nic int, at string) {
	if most := cmp.Or(nic, f.MTU, 1500); bridge > most {
		f.add("%s gives %s the MTU %d, and %s sends no more than %d: write the smaller one there", at, f.Bridge, bridge, f.NIC, most)
	}
}

func (f *faults) err() error {
	if f.lines == nil {
		return nil
	}
	return &Refusal{strings.Join(f.lines, "\n")}
}

// now is the place of what no file says of the NIC.
func (c Conversion) now() string { return "what " + c.NIC + " has now" }
