/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_BASE_VERSION_H
#define SIPWARD_BASE_VERSION_H

#define SIPWARD_VERSION "0.1.0"

#endif
