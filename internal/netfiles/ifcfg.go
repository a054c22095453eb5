package netfiles

import (
	"path"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// ifcfgDir is where the network scripts of RHEL 7 have their files.
const ifcfgDir = "/etc/sysconfig/network-scripts"

// assignment is a line of a file of shell variables. One that assigns nothing has no key.
type assignment struct {
	key, value, raw string
}

type shellFile []assignment

// parseShell reads a file of shell variables as the network scripts and NetworkManager
// do: words in single or double quotes, a backslash takes the next character as it is.
// What a shell would work out ($OTHER) stays as it is written.
func parseShell(text string) shellFile {
	var list shellFile
	for raw := range strings.Lines(text) {
		a := assignment{raw: raw}
		l := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(raw), "export "))
		if key, rest, ok := strings.Cut(l, "="); ok && variableName(key) {
			a.key, a.value = key, unquote(rest)
		}
		list = append(list, a)
	}
	return list
}

func variableName(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == "" && (s[0] < '0' || s[0] > '9')
}

// unquote is the first word of a text.
func unquote(s string) string {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote == 0 && (c == ' ' || c == '\t' || c == ';'):
			return b.String()
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote && quote != 0:
			quote = 0
		case c == '\\' && quote == 0 && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '\\' && quote == '"' && i+1 < len(s) && strings.IndexByte("\"\\$`", s[i+1]) >= 0:
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// shellWord writes a value so that a shell reads it back.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:-,@%+") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// get is the last value of a key.
func (f shellFile) get(key string) string {
	for _, a := range slices.Backward(f) {
		if a.key == key {
			return a.value
		}
	}
	return ""
}

func (f shellFile) has(key string) bool {
	return slices.ContainsFunc(f, func(a assignment) bool { return a.key == key })
}

func (f shellFile) String() string {
	var b strings.Builder
	for _, a := range f {
		b.WriteString(ended(a.raw))
	}
	return b.String()
}

// ifcfg is a file of the network scripts.
type ifcfg struct {
	path string
	shellFile
}

// device is the interface that a file is for.
func (f ifcfg) device() string {
	if d := f.get("DEVICE"); d != "" {
		return d
	}
	return strings.TrimPrefix(path.Base(f.path), "ifcfg-")
}

// ifcfgs lists the files, without backups (network-functions, NetworkManager's
// utils_should_ignore_file).
func ifcfgs(t Tree) []ifcfg {
	var list []ifcfg
	for _, p := range t.in(ifcfgDir) {
		name := path.Base(p)
		bad := slices.ContainsFunc([]string{"~", ".bak", ".orig", ".rej", ".rpmnew", ".rpmsave", ".rpmorig", ".old"}, func(e string) bool { return strings.HasSuffix(name, e) })
		if strings.HasPrefix(name, "ifcfg-") && !bad {
			list = append(list, ifcfg{p, parseShell(t.text(p))})
		}
	}
	return list
}

// ifcfgOf is the file of an interface: by its name, else by its hardware's address.
func ifcfgOf(t Tree, name string, l Link) (ifcfg, bool) {
	list := ifcfgs(t)
	for _, f := range list {
		if f.device() == name {
			return f, true
		}
	}
	for _, f := range list {
		mac, err := spec.ParseMAC(f.get("HWADDR"))
		if err == nil && !f.has("DEVICE") && (mac == l.MAC || mac == l.PermanentMAC) {
			return f, true
		}
	}
	return ifcfg{}, false
}
