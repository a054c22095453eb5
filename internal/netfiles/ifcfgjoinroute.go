package netfiles

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// beside adds the NIC's files of routes and rules to the bridge's, and renames those of
// its labels.
func (m *ifcfgMerger) beside(e *edit) {
	for _, kind := range []string{"route", "route6", "rule", "rule6"} {
		from, to := beside(kind, m.users.suffix()), beside(kind, m.bridge.suffix())
		text := renameWord(e.tree.text(from), m.NIC, m.Bridge)
		if m.users.path == "" {
			text = m.liveRoutes(kind)
		}
		if text == "" {
			continue
		}
		if mine := e.tree.text(to); mine != "" {
			m.sameRoutes(kind, mine, text, to, from)
			text = m.withRoutes(kind, mine, text)
		}
		e.copy(to, text, from)
		if m.users.path != "" {
			e.remove(from)
		}
	}
	m.labels(e)
}

func (m *ifcfgMerger) liveRoutes(kind string) (text string) {
	f := map[string]*spec.InterfaceIP{"route": m.Live.IPv4, "route6": m.Live.IPv6}[kind]
	for _, r := range ip(f).Routes {
		text += ifcfgRoute(r, m.Bridge)
	}
	return text
}

func (m *ifcfgMerger) labels(e *edit) {
	if m.users.path == "" {
		return
	}
	for _, p := range e.tree.in(ifcfgDir) {
		label, ok := strings.CutPrefix(path.Base(p), "ifcfg-"+m.users.suffix()+":")
		if !ok {
			continue
		}
		to := beside("ifcfg", m.bridge.suffix()+":"+label)
		if e.tree.Files[to] != nil {
			m.add("%s would be %s, which is there: give one of them another label", p, to)
		}
		e.move(p, to, renameWord(e.tree.text(p), m.NIC+":"+label, m.Bridge+":"+label))
	}
}

// asVariables reports whether a file of routes has them as ADDRESS0 and so on, rather than
// in the words of ip(8) (ifup-routes).
func asVariables(text string) bool {
	return regexp.MustCompile(`(?m)^\s*ADDRESS[0-9]+=`).MatchString(text)
}

// routeNumber is the number that ends a variable of a route.
var routeNumber = regexp.MustCompile(`^(\s*)(ADDRESS|NETMASK|GATEWAY|METRIC|OPTIONS)([0-9]+)=`)

// withRoutes is a file of the bridge with the lines of the NIC's that it lacks. Where the
// two are written in different ways both are in the words of ip(8).
func (m *ifcfgMerger) withRoutes(kind, mine, theirs string) string {
	if asVariables(mine) && asVariables(theirs) {
		return m.withVariables(mine, theirs)
	}
	var b strings.Builder
	has := map[string]bool{}
	for _, l := range slices.Concat(m.words8(mine), m.words8(theirs)) {
		plain := strings.Join(strings.Fields(l), " ")
		if plain != "" && !comment(l, "#") && has[plain] {
			continue
		}
		has[plain] = true
		b.WriteString(ended(l))
	}
	return b.String()
}

// withVariables numbers the NIC's routes behind the bridge's.
func (m *ifcfgMerger) withVariables(mine, theirs string) string {
	has, add := parseShell(mine), parseShell(theirs)
	next := 0
	for has.has(fmt.Sprintf("ADDRESS%d", next)) {
		next++
	}
	text := ended(mine)
	for n := 0; add.has(fmt.Sprintf("ADDRESS%d", n)); n++ {
		if slices.Contains(m.words8(mine), m.variable8(add, n)) {
			continue
		}
		for _, a := range add {
			if of := routeNumber.FindStringSubmatch(a.raw); of != nil && of[3] == fmt.Sprint(n) {
				text += ended(fmt.Sprintf("%s%s%d=%s", of[1], of[2], next, a.raw[len(of[0]):]))
			}
		}
		next++
	}
	return text
}

// words8 are the lines of a file in the words of ip(8); comments stay.
func (m *ifcfgMerger) words8(text string) []string {
	if !asVariables(text) {
		return slices.Collect(strings.Lines(text))
	}
	var list []string
	vars := parseShell(text)
	for _, a := range vars {
		if comment(a.raw, "#") {
			list = append(list, a.raw)
		}
	}
	for n := 0; vars.has(fmt.Sprintf("ADDRESS%d", n)); n++ {
		list = append(list, m.variable8(vars, n))
	}
	return list
}

func (m *ifcfgMerger) variable8(vars shellFile, n int) string {
	get := func(key string) string { return vars.get(fmt.Sprintf("%s%d", key, n)) }
	line := get("ADDRESS")
	if bits, ok := maskBits(get("NETMASK")); ok {
		line += fmt.Sprintf("/%d", bits)
	}
	if g := get("GATEWAY"); g != "" {
		line += " via " + g
	}
	line += " dev " + m.Bridge
	if metric := get("METRIC"); metric != "" {
		line += " metric " + metric
	}
	if options := get("OPTIONS"); options != "" {
		line += " " + options
	}
	return line
}

// sameRoutes finds two routes to one destination that differ.
func (m *ifcfgMerger) sameRoutes(kind, mine, theirs, at, from string) {
	if !strings.HasPrefix(kind, "route") {
		return
	}
	if m.users.path == "" {
		from = m.now()
	}
	for _, a := range m.words8(mine) {
		for _, b := range m.words8(theirs) {
			r, table, ok := route8(kind, a)
			o, of, also := route8(kind, b)
			if ok && also && r.To == o.To && r.Metric == o.Metric && table == of && r != o {
				m.contradict("route to "+r.To.String(), at, from)
			}
		}
	}
}

// route8 is a route in the words of ip(8), and its table.
func route8(kind, line string) (r spec.InterfaceRoute, table string, ok bool) {
	words := strings.Fields(line)
	if len(words) < 2 || comment(line, "#") {
		return r, "", false
	}
	if words[0] == "default" {
		words[0] = map[string]string{"route": "0.0.0.0/0", "route6": "::/0"}[kind]
	}
	var f spec.InterfaceIP
	(&ifupdownReader{}).route(func(netip.Addr) *spec.InterfaceIP { return &f }, append([]string{"ip", "route", "add"}, words...))
	if at := slices.Index(words, "table"); at > 0 && at+1 < len(words) {
		table = words[at+1]
	}
	if len(f.Routes) == 0 {
		return r, "", false
	}
	return f.Routes[0], table, true
}

// suffix is what ends the names of all files of one interface.
func (f ifcfg) suffix() string { return strings.TrimPrefix(f.path, ifcfgDir+"/ifcfg-") }

func beside(kind, suffix string) string { return fmt.Sprintf("%s/%s-%s", ifcfgDir, kind, suffix) }
