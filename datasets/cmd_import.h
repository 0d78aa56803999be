/* SPDX-License-Identifier: Apache-2.0 */
/* `weir import`: other programs' files -> a dataset. */
#ifndef WEIR_DATASETS_CMD_IMPORT_H
#define WEIR_DATASETS_CMD_IMPORT_H

int cmd_import(int argc, char **argv);

#endif
