package libvirtxml

import "strings"

// xmlSpace is what the prefix xml always stands for.
const xmlSpace = "http://www.w3.org/XML/1998/namespace"

// cutName splits a name at its colon.
func cutName(full string) (prefix, name string) {
	prefix, name, both := strings.Cut(full, ":")
	if !both || prefix == "" || name == "" {
		return "", full
	}
	return prefix, name
}

// resolve finds the namespaces of an element and of its attributes, and refuses an
// attribute that is there twice. A prefix that nobody declared is no error: the name
// then is all of it, with the colon.
func (s *scanner) resolve(n *node) error {
	for i, d := range n.declared {
		if declares(n.declared[:i], d.name) {
			return s.fail("Attribute %s redefined", strings.TrimSuffix("xmlns:"+d.name, ":"))
		}
		s.spaces[d.name] = append(s.spaces[d.name], d.value)
	}
	n.space = s.lookup(n.prefix)
	if n.prefix != "" && n.space == "" {
		n.prefix, n.name = "", fullName(n.prefix, n.name)
	}
	for i := range n.attrs {
		if err := s.resolveAttribute(n, i); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) resolveAttribute(n *node, i int) error {
	a := &n.attrs[i]
	for _, b := range n.attrs[:i] {
		if fullName(b.prefix, b.name) == fullName(a.prefix, a.name) {
			return s.fail("Attribute %s redefined", fullName(a.prefix, a.name))
		}
	}
	if a.prefix == "" {
		return nil
	}
	if a.space = s.lookup(a.prefix); a.space == "" {
		a.prefix, a.name = "", fullName(a.prefix, a.name)
	}
	return nil
}

func declares(declared []attr, prefix string) bool {
	for _, d := range declared {
		if d.name == prefix {
			return true
		}
	}
	return false
}

// lookup is the namespace that a prefix stands for where the scanner is.
func (s *scanner) lookup(prefix string) string {
	if prefix == "xml" {
		return xmlSpace
	}
	if in := s.spaces[prefix]; len(in) > 0 {
		return in[len(in)-1]
	}
	return ""
}

// leave forgets the namespaces that an element declared.
func (s *scanner) leave(n *node) {
	for _, d := range n.declared {
		s.spaces[d.name] = s.spaces[d.name][:len(s.spaces[d.name])-1]
	}
}
