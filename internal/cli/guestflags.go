package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/spec"
)

// guestFlags are the flags of what a guest may send and receive. Networks and ports
// have them.
type guestFlags struct{ guard, storm, in, out string }

// define adds the flags; whose is the guest, or are the guests, they are about.
func (g *guestFlags) define(cmd *cobra.Command, whose string) {
	f := cmd.Flags()
	f.StringVar(&g.guard, "guard", "", "what "+whose+" may not send: `off, strict`, or some of "+strings.Join(spec.GuardWords, ","))
	f.StringVar(&g.storm, "storm", "", "with guard storm: frames to everybody a second, `broadcast=N,multicast=N`")
	f.StringVar(&g.in, "bandwidth-in", "", "most that "+whose+" may receive, a `limit` such as 10mbit")
	f.StringVar(&g.out, "bandwidth-out", "", "most that "+whose+" may send, a `limit` such as 10mbit")
	cmd.RegisterFlagCompletionFunc("guard", completeGuard)
	cmd.RegisterFlagCompletionFunc("storm", cobra.FixedCompletions([]string{"broadcast=", "multicast="}, cobra.ShellCompDirectiveNoSpace))
}

// completeGuard offers the names of guards, and words behind others.
func completeGuard(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	begun := typed[:strings.LastIndex(typed, ",")+1]
	var words []cobra.Completion
	if begun == "" {
		words = []cobra.Completion{string(spec.GuardOff), string(spec.GuardStrict)}
	}
	for _, w := range spec.GuardWords {
		if !slices.Contains(strings.Split(begun, ","), w) {
			words = append(words, begun+w)
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// readGuard reads a guard.
func readGuard(word string) (spec.Guard, error) {
	if err := spec.CheckGuard(spec.Guard(word)); err != nil {
		return "", usagef("--guard: %v", err)
	}
	return spec.Guard(word), nil
}

// readLimit reads the limit of a flag; 0 and none are no limit.
func readLimit(flag, word string) (spec.Limit, error) {
	if word == "" || word == "0" || word == "none" {
		return spec.Limit{}, nil
	}
	l, err := spec.ParseLimit(word)
	if err != nil {
		return l, usagef("--%s: %v, nor none", flag, err)
	}
	return l, nil
}

// bandwidth reads both limits; nil when there is none.
func (g *guestFlags) bandwidth() (*spec.Bandwidth, error) {
	in, err := readLimit("bandwidth-in", g.in)
	if err != nil {
		return nil, err
	}
	out, err := readLimit("bandwidth-out", g.out)
	if err != nil || in == (spec.Limit{}) && out == (spec.Limit{}) {
		return nil, err
	}
	return &spec.Bandwidth{In: in, Out: out}, nil
}

// readStorm changes a storm by what is said; "0" and "none" forget what is said.
func readStorm(s spec.Storm, word string) (spec.Storm, error) {
	if word == "0" || word == "none" {
		return spec.Storm{}, nil
	}
	for _, part := range strings.Split(word, ",") {
		name, number, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.Atoi(number)
		switch {
		case err == nil && n >= 0 && name == "broadcast":
			s.Broadcast = n
		case err == nil && n >= 0 && name == "multicast":
			s.Multicast = n
		default:
			return s, usagef("--storm: %q is not a number of frames a second, such as broadcast=200,multicast=1000", word)
		}
	}
	return s, nil
}

// limits reads all of the flags.
func (g *guestFlags) limits() (guard spec.Guard, storm *spec.Storm, b *spec.Bandwidth, err error) {
	if guard, err = readGuard(g.guard); err != nil {
		return
	}
	if g.storm != "" {
		s, err := readStorm(spec.Storm{}, g.storm)
		if err != nil {
			return "", nil, nil, err
		}
		if s != (spec.Storm{}) {
			storm = &s
		}
	}
	b, err = g.bandwidth()
	return
}
