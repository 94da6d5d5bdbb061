package httpnode

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxNesting bounds how deep arrays and objects may nest inside a member of a body.
const maxNesting = 10_000

// fewNames is the number of members of one object up to which duplicates are found by comparing
// each with each; above, a map is cheaper.
const fewNames = 16

var errNesting = fmt.Errorf("nested deeper than %d levels", maxNesting)

// scanner reads JSON text strictly by RFC 8259 and, beyond it, refuses two members of one name and
// text that is not UTF-8. A lone surrogate in a \u escape is grammatical and therefore kept: some
// clients send it, and get back the escape that they sent.
type scanner struct {
	text   []byte
	at     int
	depth  int
	spaced bool     // white space between tokens was seen
	names  [][]byte // decoded member names of the objects that are open
}

// span is the text of one value.
type span struct {
	text   []byte // aliases the scanned text; nil: not there
	spaced bool   // contains white space between tokens
}

// compact returns a copy of the value's text without insignificant white space.
func (s span) compact() []byte {
	if !s.spaced {
		return bytes.Clone(s.text)
	}
	out := make([]byte, 0, len(s.text))
	for i := 0; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case isSpace(c):
		case c == '"':
			end := i + 1
			for s.text[end] != '"' {
				if s.text[end] == '\\' {
					end++
				}
				end++
			}
			out = append(out, s.text[i:end+1]...)
			i = end
		default:
			out = append(out, c)
		}
	}
	return bytes.Clone(out) // it is kept for long: no spare capacity
}

// isString tells whether the value is a string.
func (s span) isString() bool { return len(s.text) > 0 && s.text[0] == '"' }

// isNull tells whether the value is null.
func (s span) isNull() bool { return len(s.text) > 0 && s.text[0] == 'n' }

// str is the decoded content of a string value.
func (s span) str() string { return string(unquote(s.text[1 : len(s.text)-1])) }

// scanMembers scans text as one object and fills found[i] with the value of the member wanted[i].
// Members of other names are checked and ignored.
func scanMembers(text []byte, wanted []string, found []span) error {
	s := scanner{text: text, depth: -1} // the limit is on what is inside a member
	s.space()
	if !s.next('{') {
		if len(s.text) > s.at && s.value() == nil {
			return errors.New("an object is expected")
		}
		return s.unexpected()
	}
	s.spaced = false
	err := s.object(func(name []byte, value span) {
		for i := range wanted {
			if string(name) == wanted[i] {
				found[i] = value
			}
		}
	})
	if err != nil {
		return err
	}
	s.space()
	if s.at != len(s.text) {
		return fmt.Errorf("data after the object, at byte %d", s.at)
	}
	return nil
}

func (s *scanner) unexpected() error {
	if s.at >= len(s.text) {
		return errors.New("it ends too early")
	}
	return fmt.Errorf("unexpected character at byte %d", s.at)
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

func (s *scanner) space() {
	for s.at < len(s.text) && isSpace(s.text[s.at]) {
		s.at++
		s.spaced = true
	}
}

func (s *scanner) next(c byte) bool {
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

// comma scans what stands between two members or elements.
func (s *scanner) comma() bool {
	if !s.next(',') {
		return false
	}
	s.space()
	return true
}

// value scans one value that begins right here.
func (s *scanner) value() error {
	if s.at >= len(s.text) {
		return s.unexpected()
	}
	switch c := s.text[s.at]; {
	case c == '{':
		s.at++
		return s.object(nil)
	case c == '[':
		s.at++
		return s.array()
	case c == '"':
		_, err := s.string()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.literal("true")
	case c == 'f':
		return s.literal("false")
	case c == 'n':
		return s.literal("null")
	default:
		return s.unexpected()
	}
}

func (s *scanner) literal(word string) error {
	for i := range len(word) {
		if !s.next(word[i]) {
			return s.unexpected()
		}
	}
	return nil
}

// object scans what follows an opening brace; visit, if not nil, sees each member.
func (s *scanner) object(visit func(name []byte, value span)) error {
	if s.depth++; s.depth > maxNesting {
		return errNesting
	}
	base, many := len(s.names), map[string]struct{}(nil)
	s.space()
	for first := true; !s.next('}'); first = false {
		if !first && !s.comma() {
			return s.unexpected()
		}
		name, err := s.name(base, &many)
		if err != nil {
			return err
		}
		around := s.spaced
		s.spaced = false
		start := s.at
		if err := s.value(); err != nil {
			return err
		}
		if visit != nil {
			visit(name, span{text: s.text[start:s.at:s.at], spaced: s.spaced})
		}
		s.spaced = s.spaced || around
		s.space()
	}
	s.names = s.names[:base]
	s.depth--
	return nil
}

// name scans a member name with its colon and refuses one that the object already has.
func (s *scanner) name(base int, many *map[string]struct{}) ([]byte, error) {
	start := s.at
	if start >= len(s.text) || s.text[start] != '"' {
		return nil, s.unexpected()
	}
	raw, err := s.string()
	if err != nil {
		return nil, err
	}
	name := unquote(raw)
	if s.known(name, base, many) {
		return nil, fmt.Errorf("duplicate member at byte %d", start)
	}
	s.space()
	if !s.next(':') {
		return nil, s.unexpected()
	}
	s.space()
	return name, nil
}

func (s *scanner) known(name []byte, base int, many *map[string]struct{}) bool {
	if *many != nil {
		before := len(*many)
		(*many)[string(name)] = struct{}{}
		return len(*many) == before
	}
	for _, other := range s.names[base:] {
		if bytes.Equal(other, name) {
			return true
		}
	}
	s.names = append(s.names, name)
	if len(s.names)-base > fewNames {
		*many = make(map[string]struct{}, 4*fewNames)
		for _, other := range s.names[base:] {
			(*many)[string(other)] = struct{}{}
		}
	}
	return false
}

// array scans what follows an opening bracket.
func (s *scanner) array() error {
	if s.depth++; s.depth > maxNesting {
		return errNesting
	}
	s.space()
	for first := true; !s.next(']'); first = false {
		if !first && !s.comma() {
			return s.unexpected()
		}
		if err := s.value(); err != nil {
			return err
		}
		s.space()
	}
	s.depth--
	return nil
}

func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}

func (s *scanner) number() error {
	s.next('-')
	if !s.next('0') && !s.digits() {
		return s.unexpected()
	}
	if s.next('.') && !s.digits() {
		return s.unexpected()
	}
	if s.next('e') || s.next('E') {
		if !s.next('+') {
			s.next('-')
		}
		if !s.digits() {
			return s.unexpected()
		}
	}
	return nil
}

// string scans a string that begins at its opening quote and returns what is between the quotes.
func (s *scanner) string() ([]byte, error) {
	s.at++
	start := s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return s.text[start : s.at-1], nil
		case c == '\\':
			if err := s.escape(); err != nil {
				return nil, err
			}
		case c < ' ':
			return nil, s.unexpected()
		case c < utf8.RuneSelf:
			s.at++
		default:
			r, size := utf8.DecodeRune(s.text[s.at:])
			if r == utf8.RuneError && size == 1 {
				return nil, fmt.Errorf("invalid UTF-8 at byte %d", s.at)
			}
			s.at += size
		}
	}
	return nil, s.unexpected()
}

func (s *scanner) escape() error {
	s.at++
	if s.at >= len(s.text) {
		return s.unexpected()
	}
	if s.text[s.at] == 'u' {
		s.at++
		for range 4 {
			if s.at >= len(s.text) || !isHex(s.text[s.at]) {
				return s.unexpected()
			}
			s.at++
		}
		return nil
	}
	if bytes.IndexByte([]byte(`"\/bfnrt`), s.text[s.at]) < 0 {
		return s.unexpected()
	}
	s.at++
	return nil
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
