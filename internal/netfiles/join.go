package netfiles

import "fmt"

// Join works out the files with which a NIC is a further port of a bridge that the
// files of the same manager define, after a boot: what they say of the bridge stays, the
// bridge has the NIC's MAC, and all that they say of the NIC's addresses goes to the
// bridge. The bridge's own definition keeps what it says, but for its MAC and for an MTU
// that is larger than the NIC's; who is asked for addresses, and what a boot waits for,
// is what either says. Where the two contradict each other otherwise it is a Refusal
// that names both places.
func Join(t Tree, m Manager, c Conversion) ([]Change, error) {
	b, err := backendOf(m)
	if err != nil {
		return nil, err
	}
	if now, err := b.defined(t, c.Bridge); err != nil {
		return nil, err
	} else if now == nil {
		return nil, &Refusal{fmt.Sprintf("make %s a port of %s: no file of %s defines %[2]s", c.NIC, c.Bridge, m)}
	}
	return b.join(t, c)
}
