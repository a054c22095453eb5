package libvirtxml

// element reads an element with all it holds.
func (s *scanner) element(parent *node) (*node, error) {
	n := &node{kind: elementNode, parent: parent, at: s.pos}
	s.depth++
	defer func() { s.depth-- }()
	switch s.elements++; {
	case s.depth > maxDepth:
		return nil, s.fail("Excessive depth in document: elements stand inside each other more than %d times", maxDepth)
	case s.elements > maxElements:
		return nil, s.fail("The document has more than %d elements", maxElements)
	}
	if err := s.startTag(n); err != nil {
		return nil, err
	}
	defer s.leave(n)
	if s.skip("/>") {
		return n, nil
	}
	if !s.skip(">") {
		return nil, s.fail("Couldn't find end of Start Tag %s line %d", fullName(n.prefix, n.name), s.lines.number(n.at))
	}
	if err := s.inside(n); err != nil {
		return nil, err
	}
	return n, s.endTag(n)
}

// inside reads what an element holds, up to its end tag.
func (s *scanner) inside(n *node) error {
	for s.pos < len(s.text) {
		var child *node
		var err error
		switch {
		case s.at("</"):
			return nil
		case s.at("<?"):
			child, err = s.instruction()
		case s.at("<![CDATA["):
			child, err = s.cdata()
		case s.at("<!--"):
			child, err = s.comment()
		case s.at("<"):
			child, err = s.element(n)
		default:
			child, err = s.characters()
		}
		if err != nil {
			return err
		}
		if child.parent = n; !s.ignorable(child) {
			n.children = append(n.children, child)
		}
	}
	return s.fail("Premature end of data in tag %s line %d", fullName(n.prefix, n.name), s.lines.number(n.at))
}

// ignorable reports whether text only sets elements apart, as libxml2 guesses it: it
// is white space between tags, and neither the first nor the last thing before it is
// text.
func (s *scanner) ignorable(n *node) bool {
	siblings := n.parent.children
	switch {
	case !n.blank || s.peek() != '<' || n.preserved():
		return false
	case len(siblings) == 0:
		return !s.at("</")
	}
	return siblings[0].kind != textNode && siblings[len(siblings)-1].kind != textNode
}

func (n *node) isText() bool { return n.kind == textNode || n.kind == cdataNode }

// preserved reports whether the document asks to keep white space (XML 1.0 section
// 2.10).
func (n *node) preserved() bool {
	for n = n.parent; n != nil; n = n.parent {
		for _, a := range n.attrs {
			if a.space == xmlSpace && a.name == "space" {
				return a.value == "preserve"
			}
		}
	}
	return false
}

// endTag reads the end tag of an element.
func (s *scanner) endTag(n *node) error {
	s.skip("</")
	name, err := s.name()
	if err != nil {
		return err
	}
	if s.blanks(); !s.skip(">") {
		return s.fail("expected '>'")
	}
	if want := fullName(n.prefix, n.name); name != want {
		if name == "" {
			name = "unparsable"
		}
		return s.fail("Opening and ending tag mismatch: %s line %d and %s", want, s.lines.number(n.at), name)
	}
	return nil
}

// startTag reads a start tag up to its end, and resolves its namespaces.
func (s *scanner) startTag(n *node) error {
	s.skip("<")
	full, err := s.name()
	if err != nil {
		return err
	}
	if full == "" {
		return s.fail("StartTag: invalid element name")
	}
	n.prefix, n.name = cutName(full)
	s.blanks()
	for s.inTag() {
		if err := s.attribute(n); err != nil {
			return err
		}
		if gap := s.blanks(); gap == 0 && s.peek() != '>' && !s.at("/>") {
			return s.fail("attributes construct error")
		}
	}
	return s.resolve(n)
}

// inTag reports whether more of a start tag comes.
func (s *scanner) inTag() bool {
	return s.pos < len(s.text) && s.peek() != '>' && !s.at("/>") && (s.peek() >= ' ' || isBlank(s.peek()))
}

// attribute reads an attribute, or the declaration of a namespace.
func (s *scanner) attribute(n *node) error {
	a := attr{at: s.pos}
	full, err := s.name()
	if err != nil {
		return err
	}
	if full == "" {
		return s.fail("error parsing attribute name")
	}
	a.prefix, a.name = cutName(full)
	if s.blanks(); !s.skip("=") {
		return s.fail("Specification mandates value for attribute %s", a.name)
	}
	s.blanks()
	a.valueAt = s.pos + 1
	if a.value, err = s.attributeValue(); err != nil {
		return err
	}
	switch {
	case full == "xmlns":
		n.declared = append(n.declared, attr{value: a.value, at: a.at, valueAt: a.valueAt})
	case a.prefix == "xmlns":
		n.declared = append(n.declared, attr{name: a.name, value: a.value, at: a.at, valueAt: a.valueAt})
	default:
		n.attrs = append(n.attrs, a)
	}
	if len(n.declared)+len(n.attrs) > maxAttributes {
		return s.fail("The element %s has more than %d attributes", fullName(n.prefix, n.name), maxAttributes)
	}
	return nil
}
