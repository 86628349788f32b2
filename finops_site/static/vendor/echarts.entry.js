/* The parts of ECharts that finops/charts.js uses; update.sh bundles them to echarts/echarts.min.js. */
import { init, getInstanceByDom, use } from 'echarts/core';
import { BarChart, CustomChart, LineChart, TreemapChart } from 'echarts/charts';
import { GridComponent, LegendPlainComponent, TooltipComponent } from 'echarts/components';
import { LegacyGridContainLabel } from 'echarts/features';
import { SVGRenderer } from 'echarts/renderers';

use([BarChart, CustomChart, LineChart, TreemapChart, GridComponent, LegendPlainComponent, TooltipComponent, LegacyGridContainLabel, SVGRenderer]);
export { init, getInstanceByDom };
