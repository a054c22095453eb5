package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// printer collects lines of one network.
type printer struct {
	netns, on string
	lines     []string
}

// line adds "what on lab0 words"; empty words are left out.
func (p *printer) line(what string, words ...string) {
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	p.lines = append(p.lines, p.netns+what+" on "+p.on+" "+strings.Join(words, " "))
}

// field is a value with its name, nothing for no value.
func field(name, value string) string {
	if value == "" {
		return ""
	}
	return name + " " + value
}

func number(name string, n int) string { return fmt.Sprintf("%s %d", name, n) }

func flag(name string, on bool) string {
	if on {
		return name
	}
	return ""
}

func quote(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%q", s)
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// words prints the elements of a list, each with the name before it.
func words[T fmt.Stringer](name string, list []T) string {
	var b strings.Builder
	for i, v := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.TrimPrefix(name+" "+v.String(), " "))
	}
	return b.String()
}

func hexText(s string) string { return fmt.Sprintf("%x", s) }

// quoteName leaves host names as they are.
func quoteName(name string) string {
	if spec.CheckHostName(strings.TrimPrefix(name, "*.")) == nil {
		return name
	}
	return fmt.Sprintf("%q", name)
}
