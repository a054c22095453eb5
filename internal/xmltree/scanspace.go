package xmltree

import "strings"

// xmlSpace is what the prefix xml always stands for.
const XMLSpace = "http://www.w3.org/XML/1998/namespace"

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
func (s *scanner) resolve(n *Node) error {
	for i, d := range n.Declared {
		if declares(n.Declared[:i], d.Name) {
			return s.fail("Attribute %s redefined", strings.TrimSuffix("xmlns:"+d.Name, ":"))
		}
		s.spaces[d.Name] = append(s.spaces[d.Name], d.Value)
	}
	n.Space = s.lookup(n.Prefix)
	if n.Prefix != "" && n.Space == "" {
		n.Prefix, n.Name = "", n.FullName()
	}
	for i := range n.Attrs {
		if err := s.resolveAttribute(n, i); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) resolveAttribute(n *Node, i int) error {
	a := &n.Attrs[i]
	for _, b := range n.Attrs[:i] {
		if b.FullName() == a.FullName() {
			return s.fail("Attribute %s redefined", a.FullName())
		}
	}
	if a.Prefix == "" {
		return nil
	}
	if a.Space = s.lookup(a.Prefix); a.Space == "" {
		a.Prefix, a.Name = "", a.FullName()
	}
	return nil
}

func declares(declared []Attr, prefix string) bool {
	for _, d := range declared {
		if d.Name == prefix {
			return true
		}
	}
	return false
}

// lookup is the namespace that a prefix stands for where the scanner is.
func (s *scanner) lookup(prefix string) string {
	if prefix == "xml" {
		return XMLSpace
	}
	if in := s.spaces[prefix]; len(in) > 0 {
		return in[len(in)-1]
	}
	return ""
}

// leave forgets the namespaces that an element declared.
func (s *scanner) leave(n *Node) {
	for _, d := range n.Declared {
		s.spaces[d.Name] = s.spaces[d.Name][:len(s.spaces[d.Name])-1]
	}
}
