package manage

import (
	"strings"

	"kvmnet/internal/spec"
)

// names calls say for every object that another one needs and names: "network/lan"
// names "bridge/br0". Ports are left out: they wait for their network.
func names(s *spec.Spec, say func(user, used string)) {
	for name, n := range s.Networks {
		networkNames(n, func(used string) { say("network/"+name, used) })
	}
	for name, r := range s.Routers {
		routerNames(r, func(used string) { say("router/"+name, used) })
	}
	for name, f := range s.Forwards {
		say("forward/"+name, "network/"+f.Network)
		say("forward/"+name, "router/"+f.Router)
	}
	for name, p := range s.Policies {
		for _, parties := range []spec.Parties{p.From, p.To} {
			partyNames(parties, func(used string) { say("policy/"+name, used) })
		}
	}
}

func networkNames(n *spec.Network, say func(used string)) {
	if n.Mode == spec.Bridge {
		say("bridge/" + n.Bridge.Name)
	}
	say("bridge/" + n.Uplink)
	for _, peer := range n.Peers {
		say("network/" + peer)
	}
}

func routerNames(r *spec.Router, say func(used string)) {
	for _, u := range r.Ways() {
		say("bridge/" + u.Bridge)
		say("network/" + u.Network)
	}
	for _, i := range r.Interfaces {
		say("network/" + i.Network)
	}
}

func partyNames(parties spec.Parties, say func(used string)) {
	list, _ := parties.Parse() // what cannot be read names nobody
	for _, p := range list {
		switch p.Kind {
		case spec.PartyRouter:
			say("router/" + p.Name)
		case spec.PartySet:
			say("set/" + p.Name)
		default:
			say("network/" + p.Network())
		}
	}
}

// users are the objects that name another one, as they are defined or as they run.
func (w world) users(object string) []string {
	var list []string
	for _, s := range []*spec.Spec{w.defined, w.running} {
		names(s, func(user, used string) {
			if used == object && user != object {
				list = append(list, strings.Replace(user, "/", " ", 1))
			}
		})
	}
	return union(list, nil)
}

// unused refuses to go on with an object that others name: without it they could
// not be, or would mean something else.
func (w world) unused(object string) error {
	users := w.users(object)
	if len(users) == 0 {
		return nil
	}
	them := "it"
	if len(users) > 1 {
		them = "them"
	}
	return conflict("%s is used by %s; change or delete %s first", strings.Replace(object, "/", " ", 1), strings.Join(users, ", "), them)
}

// listener names the router at which a forward waits, "" for the host.
func listener(holders spec.Holders, f *spec.Forward) string {
	if holder, found := holders.Of(f); found {
		return holder.Router
	}
	return f.Router
}
