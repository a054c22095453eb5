package xmltree

import "strings"

// comment reads a comment.
func (s *scanner) comment() (*Node, error) {
	n := &Node{Kind: Comment, At: s.pos}
	s.skip("<!--")
	from := s.pos
	for !s.at("-->") {
		if s.at("--") {
			return nil, s.hyphens(s.text[from:s.pos])
		}
		r, ok, err := s.character()
		switch {
		case err != nil:
			return nil, err
		case s.pos >= len(s.text) && !s.at("-->"):
			return nil, s.fail("Comment not terminated")
		case !ok:
			return nil, s.fail("xmlParseComment: invalid xmlChar value %d", r)
		}
	}
	n.Text = ends(s.text[from:s.pos])
	s.skip("-->")
	return n, nil
}

// hyphens is the error for two hyphens in a comment, behind what was read of it.
// libxml2 has another one behind what is not ASCII.
func (s *scanner) hyphens(read string) error {
	if strings.IndexFunc(read, func(r rune) bool { return r >= 0x80 }) >= 0 {
		return s.failAt(s.pos+2, "Comment must not contain '--' (double-hyphen)")
	}
	return s.fail("Double hyphen within comment: <!--%.50s", read)
}

// ends makes every end of a line a line feed.
func ends(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// cdata reads a section whose text stands for itself.
func (s *scanner) cdata() (*Node, error) {
	n := &Node{Kind: CDATA, At: s.pos}
	s.skip("<![CDATA[")
	from := s.pos
	for !s.at("]]>") {
		_, ok, err := s.character()
		if err != nil {
			return nil, err
		}
		if !ok {
			read := []rune(s.text[from:s.pos]) // but for two characters that may be of the end
			return nil, s.fail("CData section not finished\n%.50s", string(read[:max(0, len(read)-2)]))
		}
	}
	n.Text = ends(s.text[from:s.pos])
	s.skip("]]>")
	return n, nil
}

// instruction reads a processing instruction.
func (s *scanner) instruction() (*Node, error) {
	n := &Node{Kind: Instruction, At: s.pos}
	s.skip("<?")
	var err error
	switch n.Name, err = s.name(); {
	case err != nil:
		return nil, err
	case n.Name == "":
		return nil, s.fail("xmlParsePI : no target name")
	case n.Name == "xml":
		return nil, s.fail("XML declaration allowed only at the start of the document")
	case strings.EqualFold(n.Name, "xml"):
		return nil, s.fail("Invalid PI name")
	case s.skip("?>"):
		return n, nil
	case s.blanks() == 0:
		return nil, s.fail("ParsePI: PI %s space expected", n.Name)
	}
	from := s.pos
	for !s.at("?>") {
		_, ok, err := s.character()
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, s.fail("ParsePI: PI %s never end ...", n.Name)
		}
	}
	n.Text = ends(s.text[from:s.pos])
	s.skip("?>")
	return n, nil
}
