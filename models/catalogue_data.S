/* SPDX-License-Identifier: Apache-2.0 */
/* The shipped catalogue's bytes, for models/catalogue.c. */
    .section .rodata
    .globl catalogue_json
    .globl catalogue_json_end
catalogue_json:
    .incbin "models/catalogue.json"
catalogue_json_end:
    .byte 0
    .section .note.GNU-stack,"",%progbits
