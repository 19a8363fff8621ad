#include "textflag.h"

// func cipherAVX2(dst, src *byte, n int, mask uint32) (top uint32)
//
// n is a multiple of 32 and not 0. The loads of a round precede its stores, so that
// dst may overlap src from the left.
TEXT ·cipherAVX2(SB), NOSPLIT, $0-36
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	MOVL mask+24(FP), AX
	MOVQ AX, X0
	VPBROADCASTD X0, Y0 // the mask, 8 times
	VPXOR Y1, Y1, Y1    // all that was written, ored together

	SUBQ $128, CX
	JB   last

wide:
	VPXOR   (SI), Y0, Y2
	VPXOR   32(SI), Y0, Y3
	VPXOR   64(SI), Y0, Y4
	VPXOR   96(SI), Y0, Y5
	VMOVDQU Y2, (DI)
	VMOVDQU Y3, 32(DI)
	VMOVDQU Y4, 64(DI)
	VMOVDQU Y5, 96(DI)
	VPOR    Y2, Y3, Y2
	VPOR    Y4, Y5, Y4
	VPOR    Y2, Y1, Y1
	VPOR    Y4, Y1, Y1
	ADDQ    $128, SI
	ADDQ    $128, DI
	SUBQ    $128, CX
	JAE     wide

last:
	ADDQ $128, CX
	JZ   done

narrow:
	VPXOR   (SI), Y0, Y2
	VMOVDQU Y2, (DI)
	VPOR    Y2, Y1, Y1
	ADDQ    $32, SI
	ADDQ    $32, DI
	SUBQ    $32, CX
	JNZ     narrow

done:
	VPMOVMSKB Y1, AX
	VZEROUPPER
	MOVL AX, top+32(FP)
	RET
