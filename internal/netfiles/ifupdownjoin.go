package netfiles

import (
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// ifupdownJoin edits the user's stanzas: the bridge's has the NIC as a port, and those of
// the NIC are further ones of the bridge. ifupdown applies the stanzas of one interface
// one after the other; the first makes the bridge, so the NIC's come behind.
func ifupdownJoin(t Tree, c Conversion) ([]Change, error) {
	files := loadInterfaces(t)
	j := &joiner{faults: &faults{Conversion: c}, mover: &mover{Conversion: c, files: files}, mine: blocksOf(t, files, c.Bridge), theirs: blocksOf(t, files, c.NIC)}
	if len(j.theirs) == 0 {
		j.theirs = liveBlocks(c)
	}
	j.maker = j.mine[max(0, slices.IndexFunc(j.mine, func(b block) bool { return b.value("bridge_ports") != "" }))]
	j.order = stanzasOf(t, c.Bridge, c.NIC)
	j.behind = slices.Index(j.order, j.last().at())
	j.judge()
	e := newEdit(t)
	var paths []string
	for _, f := range files {
		if text := j.file(f); text != t.text(f.path) {
			e.set(f.path, text, 0o644)
			paths = append(paths, f.path)
		}
	}
	slices.Sort(j.mover.faults)
	j.lines = append(j.lines, slices.Compact(j.mover.faults)...)
	if err := j.err(); err != nil {
		return nil, err
	}
	cloudInit(e, c.Bridge, paths)
	return e.changes(), nil
}

// liveBlocks are stanzas of what the NIC has now, which are in no file.
func liveBlocks(c Conversion) []block {
	var b strings.Builder
	for _, s := range ifupdownStanzas(spec.HostInterface{Name: c.NIC, IPv4: c.Live.IPv4, IPv6: c.Live.IPv6}) {
		b.WriteString("iface " + c.NIC + " " + s.heading + "\n")
		for _, o := range s.options {
			b.WriteString("    " + o + "\n")
		}
	}
	f := interfacesFile{statements: parseInterfaces(b.String())}
	var list []block
	for k, s := range f.statements {
		if s.keyword() == "iface" {
			list = append(list, f.block(k))
		}
	}
	return list
}

// joiner rewrites the files of ifupdown so that a NIC joins a bridge.
type joiner struct {
	*faults
	mover        *mover
	mine, theirs []block
	maker        block    // of the bridge, which has its ports
	order        []string // places of all stanzas
	behind       int      // where in it the bridge's last one is
	up           bool     // the bridge comes up at boot by a line above
}

func (j *joiner) last() block { return j.mine[len(j.mine)-1] }

// place is where a statement of the NIC is.
func (j *joiner) place(b block, s statement) string {
	if b.file.path == "" {
		return j.now()
	}
	return b.file.at(s)
}

// early reports whether a stanza of the NIC is before the bridge's last, or in no file,
// and so has to be moved behind it.
func (j *joiner) early(b block) bool {
	return b.file.path == "" || slices.Index(j.order, b.at()) < j.behind
}

// file is the text of a file afterwards.
func (j *joiner) file(f interfacesFile) string {
	var b strings.Builder
	for k := 0; k < len(f.statements); k++ {
		s := f.statements[k]
		if s.keyword() == "iface" && (s.iface == j.NIC || s.iface == j.Bridge) {
			own := f.block(k)
			b.WriteString(j.stanza(own))
			k += len(own.statements) - 1
			continue
		}
		b.WriteString(j.statement(f, s))
	}
	return b.String()
}

// statement rewrites one that is in no stanza of the two.
func (j *joiner) statement(f interfacesFile, s statement) string {
	switch k := s.keyword(); {
	case k == "iface" && isAlias(s.iface, j.NIC):
		return j.mover.rename(s.raw)
	case k == "auto" || strings.HasPrefix(k, "allow-") || k == "no-auto-down":
		return j.auto(s)
	case s.option() && isAlias(s.iface, j.NIC):
		return j.mover.option(f, s)
	}
	return s.raw
}

// auto has the bridge come up where the NIC did, if it does not yet. A NIC that is made
// comes up before it.
func (j *joiner) auto(s statement) string {
	on, off := s.keyword() == "auto" || s.keyword() == "allow-auto", s.keyword() == "no-auto-down"
	named, nic := slices.Contains(s.words[1:], j.Bridge), slices.Contains(s.words[1:], j.NIC)
	up := j.up
	j.up = up || on && named || nic && !off
	switch {
	case on && !up && (named || nic) && j.mover.made():
		return j.names(s, j.NIC, j.Bridge)
	case nic && on && named:
		return j.names(s, j.Bridge)
	case nic && up && !off:
		return j.names(s)
	}
	return j.mover.auto(s)
}

// names is a line of names in which others have the place of the first of the two.
func (j *joiner) names(s statement, others ...string) string {
	var list []string
	for _, w := range s.words[1:] {
		if w != j.NIC && w != j.Bridge {
			list = append(list, w)
			continue
		}
		list, others = append(list, others...), nil
	}
	if list == nil {
		return ""
	}
	text := s.words[0] + " " + strings.Join(list, " ") + "\n"
	if slices.Contains(list, j.NIC) {
		return strings.ReplaceAll(text, " "+j.NIC+":", " "+j.Bridge+":")
	}
	return j.mover.auto(statement{raw: text, words: strings.Fields(text)})
}

// stanza rewrites one of the two interfaces.
func (j *joiner) stanza(b block) string {
	text := ""
	if b.iface() == j.NIC {
		if first := b.at() == j.theirs[0].at(); first {
			text = j.port()
		}
		if moved := j.moved(b); !j.early(b) && moved != "" {
			text += strings.Repeat("\n", min(1, len(text))) + moved
		}
		return text
	}
	text = j.bridge(b)
	if b.at() != j.last().at() {
		return text
	}
	for _, b := range j.theirs {
		if moved := j.moved(b); j.early(b) && moved != "" {
			text = ended(text) + "\n" + moved
		}
	}
	if j.theirs[0].file.path == "" {
		text = ended(text) + "\n" + j.comesUp() + j.port()
	}
	return text
}

// comesUp has the bridge come up at boot, as the NIC did that no file tells of.
func (j *joiner) comesUp() string {
	for _, f := range j.mover.files {
		for _, s := range f.statements {
			if k := s.keyword(); (k == "auto" || strings.HasPrefix(k, "allow-")) && slices.Contains(s.words[1:], j.Bridge) {
				return ""
			}
		}
	}
	return "auto " + j.Bridge + "\n"
}

// port is the stanza that the NIC has from now on.
func (j *joiner) port() string {
	text := strings.TrimSuffix(j.mover.port(), "\n")
	if mtu := j.mtuOfPort(); mtu != "" {
		text += "    mtu " + mtu + "\n"
		if auto := "auto " + j.NIC + "\n"; !strings.Contains(text, auto) {
			text = strings.Replace(text, "iface ", auto+"iface ", 1)
		}
	}
	return text
}

// moved is a stanza of the NIC as the bridge's, "" when nothing is left to say.
func (j *joiner) moved(b block) string {
	double := j.double(b)
	heading := b.statements[0].raw
	if double {
		heading = fmt.Sprintf("iface %s %s manual\n", j.NIC, b.family())
	}
	text, left := j.mover.rename(ended(heading)), b.method() != "manual" && !double
	if j.autoconf(b) {
		text += b.indent() + "autoconf 1\n"
	}
	for _, s := range b.statements[1:] {
		k := s.keyword()
		switch {
		case hardware(k) || k == "mtu" || j.twice(b, s) || double && ofMethod(k):
			continue
		case k != "":
			left = true
			text += ended(j.mover.option(b.file, s))
		default:
			text += ended(s.raw)
		}
	}
	if !left {
		return ""
	}
	return text
}
