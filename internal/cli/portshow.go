package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func (a *app) portShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "show one port",
		Long: `Show prints a port with what its guest needs, as 'kvmnet port add' does, with the
addresses it leased, what it received and sent, and what its guards refused.`,
		Example: `  kvmnet port show vm1
  kvmnet port show vm1 --json`,
		Args: one("NAME"), ValidArgsFunction: a.complete(ports, false)}
	vhost := choose(cmd, "vhost", "", "tap: whether the kernel moves the packets; it changes the printed arguments only", vhostAuto, vhostOn, vhostOff)
	form := single(cmd)
	jsonFlag(cmd, form)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := a.portNamed(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.print(form.value, portObject(p).alone(), func() error {
			return a.fields(slices.Concat(portFields(p), pasteFields(p, vhost.value))...)
		})
	}
	return cmd
}

// portFields is what somebody who starts the guest wants to know.
func portFields(p api.Port) []string {
	return []string{
		"Name", p.Name,
		"Network", p.Spec.Network,
		"State", p.Status.State,
		"Link", portLink(p),
		"Guest", p.Spec.Guest,
		"UUID", p.Spec.UUID,
		"Interface", p.Spec.Interface,
		"Device", p.Spec.Device,
		"Peer", p.Spec.Peer,
		"Held", heldText(p.Spec.Held),
		"MAC", p.Spec.MAC.String(),
		"Addresses", join(p.Spec.Addresses, ", "),
		"Leases", join(p.Status.Leases, ", "),
		"Gateways", strings.Join(p.Status.Gateways, ", "),
		"MTU", number(p.Status.MTU),
		"Queues", number(p.Spec.Queues),
		"Bridge", p.Status.Bridge,
		"Owner", p.Spec.Owner,
		"Guard", guardText(p, ", "),
		"Storm", stormText(p.Spec.Storm),
		"Bandwidth", bandwidthText(p.Spec.Bandwidth),
		"Received", tallyText(p.Status.Received),
		"Sent", tallyText(p.Status.Sent),
		"Refused", refusedText(p.Status.Refused),
		"Problems", strings.Join(p.Status.Problems, "\n"),
	}
}

// portLink tells whether the guest's cable is in, and the guest at its end: of a tap
// the kernel says so, the others have no other end that can be missing.
func portLink(p api.Port) string {
	switch {
	case p.Spec.Unplugged:
		return "unplugged"
	case (p.Status.State == adopted || p.Status.State == "up") && (p.Status.Open || p.Spec.Type != spec.Tap && p.Spec.Type != ""):
		return "up"
	}
	return "down"
}

func heldText(h spec.Held) string {
	return map[spec.Held]string{
		spec.HeldOutside: "until the interface goes, which others made",
		spec.HeldOpen:    "while a program has it open",
	}[h]
}

// guardText is what the guest is kept from, as the daemon made it, or else as it is
// asked for.
func guardText(p api.Port, between string) string {
	if len(p.Status.Guard) == len(spec.GuardWords) {
		return string(spec.GuardStrict)
	}
	return cmp.Or(strings.Join(p.Status.Guard, between), string(p.Spec.Guard))
}

// stormText is what is said of a storm, nothing where nothing is.
func stormText(s *spec.Storm) string {
	if s == nil {
		return ""
	}
	var words []string
	if s.Broadcast > 0 {
		words = append(words, fmt.Sprintf("broadcast=%d", s.Broadcast))
	}
	if s.Multicast > 0 {
		words = append(words, fmt.Sprintf("multicast=%d", s.Multicast))
	}
	return strings.Join(words, ",")
}

// bandwidthText is what may be received and sent.
func bandwidthText(b *spec.Bandwidth) string {
	if b == nil {
		return ""
	}
	var words []string
	for _, side := range []struct {
		word  string
		limit spec.Limit
	}{{"in", b.In}, {"out", b.Out}} {
		if side.limit != (spec.Limit{}) {
			words = append(words, side.word+" "+side.limit.String())
		}
	}
	return strings.Join(words, ", ")
}

// tallyText is what passed in one direction.
func tallyText(t *api.Tally) string {
	if t == nil {
		return ""
	}
	text := count(int(t.Packets), "packet") + ", " + size(t.Bytes)
	if t.Dropped > 0 {
		text += fmt.Sprintf(", %d dropped", t.Dropped)
	}
	return text
}
