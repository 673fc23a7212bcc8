# SPDX-License-Identifier: Apache-2.0
"""Workers on other machines that share the run's database: `mainstem worker NAME` takes tickets."""
