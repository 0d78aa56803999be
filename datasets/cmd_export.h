/* SPDX-License-Identifier: Apache-2.0 */
/* `weir export`: a server's log -> a dataset. */
#ifndef WEIR_DATASETS_CMD_EXPORT_H
#define WEIR_DATASETS_CMD_EXPORT_H

int cmd_export(int argc, char **argv);

#endif
