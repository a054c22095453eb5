package xmltree

// element reads an element with all it holds.
func (s *scanner) element(parent *Node) (*Node, error) {
	n := &Node{Kind: Element, Parent: parent, At: s.pos}
	s.depth++
	defer func() { s.depth-- }()
	switch s.elements++; {
	case s.depth > MaxDepth:
		return nil, s.fail("Excessive depth in document: elements stand inside each other more than %d times", MaxDepth)
	case s.elements > MaxElements:
		return nil, s.fail("The document has more than %d elements", MaxElements)
	}
	if err := s.startTag(n); err != nil {
		return nil, err
	}
	defer s.leave(n)
	if s.skip("/>") {
		return n, nil
	}
	if !s.skip(">") {
		return nil, s.fail("Couldn't find end of Start Tag %s line %d", n.FullName(), s.lines.number(n.At))
	}
	if err := s.inside(n); err != nil {
		return nil, err
	}
	return n, s.endTag(n)
}

// inside reads what an element holds, up to its end tag.
func (s *scanner) inside(n *Node) error {
	for s.pos < len(s.text) {
		var child *Node
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
		if child.Parent = n; !s.ignorable(child) {
			n.Children = append(n.Children, child)
		}
	}
	return s.fail("Premature end of data in tag %s line %d", local(n.FullName()), s.lines.number(n.At))
}

// ignorable reports whether text only sets elements apart, as libxml2 guesses it: it
// is white space between tags, and neither the first nor the last thing before it is
// text.
func (s *scanner) ignorable(n *Node) bool {
	siblings := n.Parent.Children
	switch {
	case !n.blank || s.peek() != '<' || n.preserved():
		return false
	case len(siblings) == 0:
		return !s.at("</")
	}
	return siblings[0].Kind != Text && siblings[len(siblings)-1].Kind != Text
}

func (n *Node) IsText() bool { return n.Kind == Text || n.Kind == CDATA }

// preserved reports whether the document asks to keep white space (XML 1.0 section
// 2.10).
func (n *Node) preserved() bool {
	for n = n.Parent; n != nil; n = n.Parent {
		for _, a := range n.Attrs {
			if a.Space == XMLSpace && a.Name == "space" {
				return a.Value == "preserve"
			}
		}
	}
	return false
}

// endTag reads the end tag of an element.
func (s *scanner) endTag(n *Node) error {
	s.skip("</")
	name, err := s.name()
	if err != nil {
		return err
	}
	if s.blanks(); !s.skip(">") {
		return s.fail("expected '>'")
	}
	if want := n.FullName(); name != want {
		if name == "" {
			name = "unparsable"
		}
		if local(want) != want {
			name = local(name)
		}
		return s.fail("Opening and ending tag mismatch: %s line %d and %s", local(want), s.lines.number(n.At), name)
	}
	return nil
}

// local is a name without its prefix, which libxml2 leaves out of messages about a tag
// that has one.
func local(full string) string {
	_, name := cutName(full)
	return name
}

// startTag reads a start tag up to its end, and resolves its namespaces.
func (s *scanner) startTag(n *Node) error {
	s.skip("<")
	full, err := s.name()
	if err != nil {
		return err
	}
	if full == "" {
		return s.fail("StartTag: invalid element name")
	}
	n.Prefix, n.Name = cutName(full)
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
func (s *scanner) attribute(n *Node) error {
	a := Attr{At: s.pos}
	full, err := s.name()
	if err != nil {
		return err
	}
	if full == "" {
		return s.fail("error parsing attribute name")
	}
	a.Prefix, a.Name = cutName(full)
	if s.blanks(); !s.skip("=") {
		return s.fail("Specification mandates value for attribute %s", a.Name)
	}
	s.blanks()
	a.ValueAt = s.pos + 1
	if a.Value, err = s.attributeValue(); err != nil {
		return err
	}
	switch {
	case full == "xmlns":
		n.Declared = append(n.Declared, Attr{Value: a.Value, At: a.At, ValueAt: a.ValueAt})
	case a.Prefix == "xmlns":
		n.Declared = append(n.Declared, Attr{Name: a.Name, Value: a.Value, At: a.At, ValueAt: a.ValueAt})
	default:
		n.Attrs = append(n.Attrs, a)
	}
	if len(n.Declared)+len(n.Attrs) > MaxAttributes {
		return s.fail("The element %s has more than %d attributes", n.FullName(), MaxAttributes)
	}
	return nil
}
