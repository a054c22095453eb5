package manage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// asker is a user who wants a port.
type asker struct {
	name   string   // for people: "alice", "user 4242"
	users  []string // what an entry can call him: his name and number
	groups []string // the same of his groups
	all    bool     // root, and who may talk to the daemon in full
}

// wish is what an asker wants of a network.
type wish struct {
	guard spec.Guard // "" = the network's
	has   int        // ports that he has there
}

// refusal is why an asker may not have a port, by the line of access that says so.
type refusal struct {
	line int // -1 = there is none
	why  string
	way  string // out of it
}

// access decides whether somebody may have one more port of a network. Of the lines
// that are about him the most generous one that fits counts; when none does, the most
// generous of them tells why.
func access(network string, n *spec.Network, who asker, w wish) *refusal {
	if who.all {
		return nil
	}
	lines := linesAbout(n.Access, who)
	if len(lines) == 0 {
		return &refusal{-1, who.name + " may not have ports there", wayIn(network, n, who)}
	}
	var first *refusal
	for _, i := range lines {
		r := refuses(n, n.Access[i], who, w)
		if r == nil {
			return nil
		}
		if first == nil {
			first = &refusal{i, r.why, r.way}
		}
	}
	return first
}

// linesAbout are the lines that are about somebody, the most generous first.
func linesAbout(lines []spec.Access, who asker) (list []int) {
	for i, a := range lines {
		if a.User != "" && slices.Contains(who.users, a.User) || a.Group != "" && slices.Contains(who.groups, a.Group) {
			list = append(list, i)
		}
	}
	slices.SortStableFunc(list, func(i, j int) int {
		a, b := lines[i], lines[j]
		switch {
		case a.Ports == b.Ports:
			return cmp.Compare(len(b.Guards), len(a.Guards))
		case a.Ports == 0:
			return -1
		case b.Ports == 0:
			return 1
		}
		return cmp.Compare(b.Ports, a.Ports)
	})
	return list
}

// refuses tells why a line about somebody does not let him have what he wants; nil
// when it does.
func refuses(n *spec.Network, a spec.Access, who asker, w wish) *refusal {
	switch {
	case a.Ports > 0 && w.has >= a.Ports:
		return &refusal{why: fmt.Sprintf("%s may have %s at a time, and %s has %d", whom(a), ports(a.Ports), who.name, w.has)}
	case !mayGuard(n, a, w.guard):
		return &refusal{why: fmt.Sprintf("%s may not have a port with guard %s: the network's is %s", whom(a), w.guard, n.GuardOf(nil)),
			way: "leave the guard out" + orOneOf(a.Guards)}
	}
	return nil
}

// mayGuard reports whether a guard may be chosen: one that keeps a guest from all that
// the network's does, or that one of the line does.
func mayGuard(n *spec.Network, a spec.Access, g spec.Guard) bool {
	return g == "" || g.Covers(n.GuardOf(nil)) || slices.ContainsFunc(a.Guards, g.Covers)
}

func whom(a spec.Access) string {
	if a.User != "" {
		return "user " + a.User
	}
	return "group " + a.Group
}

func ports(n int) string {
	if n == 1 {
		return "1 port"
	}
	return fmt.Sprintf("%d ports", n)
}

func orOneOf(guards []spec.Guard) string {
	var words []string
	for _, g := range guards {
		words = append(words, string(g))
	}
	if len(words) == 0 {
		return ""
	}
	return ", or choose " + strings.Join(words, " or ")
}

// wayIn tells how a user gets ports of a network.
func wayIn(network string, n *spec.Network, who asker) string {
	user := append(slices.Clone(who.users), "NAME")[0]
	entry := fmt.Sprintf("add '- {user: %s, ports: 5}' to", user)
	if len(n.Access) == 0 {
		entry = fmt.Sprintf("put 'access: [{user: %s, ports: 5}]' into", user)
	}
	return fmt.Sprintf("%s its definition (kvmnet net edit %s), or ask an administrator to", entry, network)
}
