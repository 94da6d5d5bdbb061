// Package sentinel plants errors that carry state, or a text that is computed.
package sentinel

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

type state struct{ n int }

func (*state) Error() string { return "" }

type text string

func (text) Error() string { return "" }

const fixed text = "fixed"

func format() string { return "" }

var local = errors.New("local")

var errTyped = &state{} // want "^global: package variable errTyped"

var (
	ErrState    = fmt.Errorf("%w", &state{})                 // want "^global: package variable ErrState"
	ErrBoth     = fmt.Errorf("%w: %w", ErrPlain, new(state)) // want "^global: package variable ErrBoth"
	ErrFormat   = fmt.Errorf(format())                       // want "^global: package variable ErrFormat"
	ErrText     = errors.New(format())                       // want "^global: package variable ErrText"
	ErrComputed = fmt.Errorf("%d", xxhash.Sum64String(""))   // want "^global: package variable ErrComputed"
	ErrConstant = fmt.Errorf("%w", fixed)                    // want "^global: package variable ErrConstant"
	ErrSpread   = fmt.Errorf("%w", []any{&state{}}...)       // want "^global: package variable ErrSpread"
	ErrForeign  = fmt.Errorf("%w", io.EOF)                   // want "^global: package variable ErrForeign"
	ErrLocal    = fmt.Errorf("%w", local)                    // want "^global: package variable ErrLocal"
	ErrJoined   = fmt.Errorf("%w", errors.Join(ErrPlain))    // want "^global: package variable ErrJoined"
	ErrTyped    = fmt.Errorf("%w", errTyped)                 // want "^global: package variable ErrTyped"

	ErrPlain  = errors.New("plain" + " text")
	ErrWraps  = fmt.Errorf("%w: %w: at most %d", ErrPlain, io.ErrShortWrite, 9)
	errParsed = fmt.Errorf("%w: %w", strconv.ErrRange, ErrWraps)
)
